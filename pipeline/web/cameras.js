// The wall: a card for each camera, and the strip above that sums them up.
import { draw } from "/draw.js";
import { offer } from "/filters.js";
import { SENSES, address, cameras, copyOf, find, sense, setText, two, words } from "/parts.js";

const TRACE_LENGTH = 120;
const TROUBLE = new Set(["stalled", "reconnecting", "unauthorised", "failed", "gone"]);

export function camera(name) {
  if (!cameras.has(name)) {
    const card = copyOf("camera");
    setText(find("bdi", card), name);
    card.dataset.name = name;
    const after = [...cameras.keys()].filter((other) => other > name).sort()[0];
    find("#wall").insertBefore(card, after === undefined ? null : cameras.get(after).card);
    cameras.set(name, { name, state: {}, trace: [], card, isSeen: false });
    looker.observe(card);
    offer("source", name, name);
  }
  return cameras.get(name);
}

export function showState(one) {
  const { state, card, name } = one;
  const isAlarm = state.state === "anomaly";
  card.classList.toggle("alarm", isAlarm);
  card.classList.toggle("away", TROUBLE.has(state.status));
  const status = find(".status", card);
  setText(status, state.status || "");
  status.className = `status ${TROUBLE.has(state.status) ? "trouble" : ""} ${state.status === "running" ? "running" : ""}`;
  setText(find(".judgement", card), isAlarm ? `${words(state.label || "anomaly")} ${two(state.score)}` : "");
  setText(find(".reason", card), state.reason || "");
  const told = isAlarm ? `anomaly: ${words(state.label || "")}` : state.state || "unknown";
  find(".view", card).setAttribute("aria-label", `${name}: ${state.status || "unknown"}, ${told}. Show its events`);
  drawSoon(one);
}

export function showTrace(one, points) {
  one.trace = [...one.trace, ...points].slice(-TRACE_LENGTH);
  const [, score, threshold, ...own] = one.trace.at(-1);
  const senses = find(".senses", one.card);
  const shown = [["all", "all", score], ...Object.keys(SENSES).map((name, at) => [name, SENSES[name], own[at]])];
  if (!senses.children.length) senses.append(...shown.map(([name, said]) => sense(name, said)));
  shown.forEach(([, , value], at) => setText(find("b", senses.children[at]), two(value)));
  const said = shown.map(([, word, value]) => `${word} ${two(value)}`).join(", ");
  find("canvas", one.card).setAttribute("aria-label", `Scores now: ${said}; threshold ${two(threshold)}`);
  drawSoon(one);
}

const waiting = new Set();
export function drawSoon(one) {
  if (!one.isSeen || document.hidden) return;
  if (!waiting.size) requestAnimationFrame(() => {
    for (const each of waiting) draw(find("canvas", each.card), each.trace);
    waiting.clear();
  });
  waiting.add(one);
}

const looker = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    const one = cameras.get(target.dataset.name);
    one.isSeen = isIntersecting;
    if (isIntersecting) { drawSoon(one); showPicture(one); }
  }
});

export async function showPicture(one) {
  if (one.isLoading || !one.isSeen || document.hidden) return;
  one.isLoading = true;
  try {
    const answer = await fetch(address("/picture", { source: one.name }));
    if (answer.status === 401) location.reload();
    const image = find("img", one.card);
    if (answer.status === 200) {
      const before = image.src;
      image.src = URL.createObjectURL(await answer.blob());
      await image.decode();
      if (before) URL.revokeObjectURL(before);
    }
    image.hidden = answer.status !== 200;
    find(".nothing", one.card).hidden = answer.status === 200;
  } catch { /* away for a moment: the next look tells */ }
  one.isLoading = false;
}

export function showSystem() {
  const states = [...cameras.values()].map(({ state }) => state);
  const running = states.filter(({ status }) => status === "running").length;
  const late = states.map(({ latency_seconds: seconds }) => Number(seconds)).filter(Number.isFinite);
  const dropped = states.reduce((sum, state) => sum + (Number(state.dropped) || 0), 0);
  const ran = [...new Set(states.filter((state) => state.provider).map((state) => `${state.provider} ${state.precision || ""}`))];
  system("running", `${running}/${states.length}`, states.some(({ status }) => TROUBLE.has(status)));
  system("latency", late.length ? `${Math.round(1000 * Math.max(...late))} ms` : "–", Math.max(...late, 0) > 2);
  system("dropped", String(dropped), dropped > 0);
  system("provider", ran.join(", ").slice(0, 60) || "no model yet");
  find("#no-cameras").hidden = states.length > 0;
}

function system(id, text, isBad = false) {
  setText(find(`#${id} .value`), text);
  find(`#${id}`).classList.toggle("bad", isBad);
}
