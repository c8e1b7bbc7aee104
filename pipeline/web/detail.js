// One event, large: its clip, or what there is of it.
import { answers, fillAnswers, fillSenses, lasted } from "/events.js";
import { address, events, find, isolated, setText, two, words } from "/parts.js";

let opened = null; // its id

export const openedId = () => (find("#detail").open ? opened : null);

export function open(id) {
  opened = id;
  const dialog = find("#detail");
  const { event } = events.get(id);
  const video = find("video", dialog);
  video.removeAttribute("src");
  showDetail();
  if (!dialog.open) dialog.showModal();
  if (event.has_clip) video.play().catch(() => {}); // a browser may want a click first
}

export function showDetail() {
  const dialog = find("#detail"), { event } = events.get(opened);
  const at = (part) => address("/evidence", { id: event.id, part });
  const video = find("video", dialog), snapshot = find(".snapshot", dialog), strip = find(".strip", dialog);
  find("#detail-title").replaceChildren(`${words(event.label)} on `, isolated(event.source));
  video.hidden = !event.has_clip;
  snapshot.hidden = event.has_clip || !event.has_snapshot;
  strip.hidden = !event.has_snapshot;
  if (event.has_clip && !video.getAttribute("src")) video.src = at("clip");
  if (event.has_snapshot) {
    video.poster = at("snapshot");
    for (const [image, part] of [[snapshot, "snapshot"], [strip, "strip"]]) {
      if (image.getAttribute("src") !== at(part)) image.src = at(part);
    }
  }
  const nothing = find(".stage .empty", dialog);
  nothing.hidden = event.has_clip || event.has_snapshot;
  setText(nothing, event.kind === "end" ? "No pictures of it were kept." : "It is still going on: pictures follow.");
  find(".words", dialog).replaceChildren(...(event.text ? [isolated(event.text)] : []));
  fillSenses(find(".senses", dialog), event);
  fillAnswers(find(".answers", dialog), event.verdict);
  find("dl", dialog).replaceChildren(...[
    ["Score", `${two(event.score)}, threshold ${two(event.threshold)}`],
    ["Began", new Date(event.started_at).toLocaleString()],
    ["Lasted", event.ended_at ? lasted(event) : "still going on"],
    ["Model", `${event.model} on ${event.provider}`],
    ["Id", event.id],
  ].flatMap(([name, value]) => {
    const term = document.createElement("dt"), said = document.createElement("dd");
    term.textContent = name;
    said.append(isolated(value));
    return [term, said];
  }));
}

export function beginDetail() {
  const dialog = find("#detail");
  answers(find(".answers", dialog), () => opened);
  dialog.addEventListener("close", () => find("video", dialog).pause());
}
