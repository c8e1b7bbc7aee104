// Which events are shown.
import { cameras, events, find, setText } from "/parts.js";

export function offer(name, value, said) {
  const select = find(`select[name="${name}"]`);
  if ([...select.options].some((option) => option.value === value)) return;
  const option = new Option(said.slice(0, 60), value);
  const after = [...select.options].slice(1).find((other) => other.text > option.text);
  select.insertBefore(option, after ?? null);
}

export function filterBy(name, value) {
  const select = find(`select[name="${name}"]`);
  select.value = select.value === value ? "" : value;
  showFiltered();
}

export function showFiltered() {
  const wanted = Object.fromEntries(new FormData(find("#filters")));
  let numShown = 0, numOpen = 0;
  for (const { event, row } of events.values()) {
    row.hidden = !isWanted(event, wanted);
    numShown += !row.hidden;
    numOpen += event.kind !== "end";
  }
  const isFiltered = Object.values(wanted).some(Boolean);
  for (const select of find("#filters").elements) select.classList.toggle("set", Boolean(select.value));
  for (const { name, card } of cameras.values()) {
    find(".view", card).setAttribute("aria-pressed", String(wanted.source === name));
  }
  find("#clear").hidden = !isFiltered;
  setText(find("#shown"), isFiltered ? `${numShown} of ${events.size}` : events.size ? String(events.size) : "");
  find("#no-events").hidden = numShown > 0;
  setText(find("#no-events"), isFiltered ? "Nothing like that." : "Nothing has happened.");
  document.title = numOpen ? `● ${numOpen} now – Heed` : "Heed";
  setText(find('#views [data-view="events"]'), numOpen ? `Events · ${numOpen} now` : "Events");
}

function isWanted(event, { source, label, sense, hours, verdict }) {
  return (!source || event.source === source) && (!label || event.label === label)
    && (!sense || carrierOf(event) === sense)
    && (!hours || Date.now() - Date.parse(event.started_at) < hours * 3600e3)
    && (!verdict || (event.verdict || "none") === verdict);
}

/** The sense that the judgement owes most to. */
export function carrierOf(event) {
  const own = Object.entries(event.senses).filter(([, { contribution }]) => contribution !== null);
  own.sort(([, one], [, other]) => other.contribution - one.contribution);
  return own.length ? own[0][0] : "";
}
