// The list: a row for each event, newest first, and what people say of it.
import { carrierOf, offer } from "/filters.js";
import { SENSES, address, copyOf, events, find, isolated, sense, setText, showRedis, two, words } from "/parts.js";

const ANSWERS = { true: "Real", false_alarm: "False alarm" };

export function addEvent(event, isNew) {
  offer("label", event.label, words(event.label));
  offer("source", event.source, event.source);
  const known = events.get(event.id);
  if (known) {
    known.event = event;
    fill(known);
  } else {
    const row = copyOf("event");
    const one = { event, row };
    events.set(event.id, one);
    answers(find(".answers", row), () => event.id);
    fill(one);
    place(one);
    if (isNew) {
      row.classList.add("new");
      setText(find("#news"), `${words(event.label)} on ${event.source}`);
    }
  }
}

/** Newest first. */
function place({ event, row }) {
  const list = find("#list");
  for (const other of list.children) {
    if (events.get(other.dataset.id).event.started_at <= event.started_at) {
      row.dataset.id = event.id;
      list.insertBefore(row, other);
      return;
    }
  }
  row.dataset.id = event.id;
  list.append(row);
}

function fill({ event, row }) {
  row.classList.toggle("open", event.kind !== "end");
  row.classList.toggle("false_alarm", event.verdict === "false_alarm");
  setText(find(".label", row), words(event.label));
  find(".now", row).hidden = event.kind === "end";
  setText(find(".score", row), `${two(event.score)} ≥ ${two(event.threshold)}`);
  find(".score", row).title = "score, and the threshold";
  setText(find(".source", row), event.source);
  const time = find("time", row);
  time.dateTime = event.started_at;
  setText(time, clock(event.started_at));
  setText(find(".lasted", row), event.ended_at ? ` · ${lasted(event)}` : "");
  find(".words", row).replaceChildren(...(event.text ? [isolated(event.text)] : []));
  fillSenses(find(".senses", row), event);
  fillAnswers(find(".answers", row), event.verdict);
  const image = find(".thumb img", row);
  if (event.has_snapshot && !image.src) {
    image.src = address("/evidence", { id: event.id, part: "snapshot" });
    image.hidden = false;
  }
  find(".play", row).hidden = !event.has_clip;
  find(".thumb", row).dataset.nothing = SENSES[carrierOf(event)] || "";
  const name = `${words(event.label)} on ${event.source}, ${clock(event.started_at)}`;
  row.setAttribute("aria-label", name);
  find(".thumb", row).setAttribute("aria-label", `Open ${name}`);
}

/** What fired comes first: the sense that the judgement owes most to. */
export function fillSenses(element, event) {
  const carrier = carrierOf(event);
  const present = Object.keys(SENSES).filter((name) => event.senses[name]);
  present.sort((one, other) => (other === carrier) - (one === carrier));
  element.replaceChildren(...present.map((name) => {
    const made = sense(name, SENSES[name]);
    setText(find("b", made), two(event.senses[name].score));
    made.classList.toggle("fired", name === carrier);
    if (name === carrier) made.title = "what fired: the judgement owes most to it";
    return made;
  }));
}

function clock(at) {
  const time = new Date(at);
  const isToday = time.toDateString() === new Date().toDateString();
  return time.toLocaleString([], { ...(isToday ? {} : { day: "numeric", month: "short" }), timeStyle: undefined,
    hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

export function lasted(event) {
  const seconds = Math.round((Date.parse(event.ended_at) - Date.parse(event.started_at)) / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

export function answers(element, id) {
  for (const [verdict, said] of Object.entries(ANSWERS)) {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.verdict = verdict;
    button.textContent = said;
    button.addEventListener("click", () => {
      const { event } = events.get(id());
      answer(event.id, event.verdict === verdict ? null : verdict);
    });
    element.append(button);
  }
}

export function fillAnswers(element, verdict) {
  for (const button of element.children) button.setAttribute("aria-pressed", String(button.dataset.verdict === verdict));
}

export async function answer(id, verdict) {
  try {
    const said = await fetch("/acknowledge", {
      method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ id, verdict }),
    });
    if (!said.ok) throw new Error(await said.text());
  } catch (error) {
    setText(find("#news"), `not kept: ${error.message}`);
    showRedis(`the answer was not kept: ${error.message}`);
  }
}
