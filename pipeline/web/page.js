// The page: what the stream tells becomes cards and a list; keys, views and theme.
import { drawSoon, camera, showPicture, showState, showSystem, showTrace } from "/cameras.js";
import { beginDetail, open, openedId, showDetail } from "/detail.js";
import { readColours } from "/draw.js";
import { addEvent, answer } from "/events.js";
import { filterBy, showFiltered } from "/filters.js";
import { cameras, events, find, setText, showRedis } from "/parts.js";

const PICTURE_MS = 2000;

function listen() {
  const stream = new EventSource("/stream");
  const on = (name, take) => stream.addEventListener(name, (message) => take(JSON.parse(message.data)));
  on("all", (all) => {
    forgetAll();
    take(all.cameras, (one, state) => { one.state = state; showState(one); });
    take(all.traces, showTrace);
    for (const event of all.events) addEvent(event, false);
    showRedis(all.redis);
    showSystem();
    showFiltered();
  });
  on("cameras", (states) => { take(states, (one, state) => { one.state = state; showState(one); }); showSystem(); });
  on("traces", (traces) => take(traces, showTrace));
  on("event", (event) => {
    addEvent(event, true);
    showFiltered();
    if (openedId() === event.id) showDetail();
  });
  on("redis", showRedis);
  stream.onerror = async () => {
    showRedis("connecting to heed serve …");
    if (stream.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 3000);
  };
}

function take(found, show) {
  for (const [name, value] of Object.entries(found)) show(camera(name), value);
}

/** Before everything is told anew. */
function forgetAll() {
  for (const one of cameras.values()) one.trace = [];
  for (const { row } of events.values()) row.remove();
  events.clear();
}

function move(step) {
  const rows = [...find("#list").children].filter((row) => !row.hidden);
  const next = rows[Math.min(rows.length - 1, Math.max(0, rows.findIndex((row) => row.dataset.id === here()) + step))];
  if (!next) return;
  next.scrollIntoView({ block: "nearest" });
  if (openedId()) open(next.dataset.id);
  else next.focus();
}

const KEYS = {
  j: () => move(1), k: () => move(-1), "/": () => find("#filters select").focus(), "?": () => find("#keys").showModal(),
  r: () => answerHere("true"), f: () => answerHere("false_alarm"), u: () => answerHere(null),
};

/** The event that is open, or has the focus. */
function here() {
  return openedId() ?? document.activeElement.closest(".event")?.dataset.id;
}

function answerHere(verdict) {
  if (here()) answer(here(), verdict);
}

function show(view) {
  document.body.dataset.view = view;
  for (const button of find("#views").children) button.setAttribute("aria-pressed", String(button.dataset.view === view));
}

const THEMES = ["", "light", "dark"];
function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  if (!theme) delete document.documentElement.dataset.theme;
  find("#theme").setAttribute("aria-label", `Theme: ${theme || "as the system has it"}`);
  setText(find("#theme"), { light: "☀", dark: "☾" }[theme] || "◐");
  localStorage.setItem("theme", theme);
  readColours();
  cameras.forEach(drawSoon);
}

/** A picture that is no longer there. */
function hideBroken({ target }) {
  if (target.matches?.(".thumb img, .strip, .snapshot")) target.hidden = true;
}

function begin() {
  setTheme(localStorage.getItem("theme") || "");
  beginDetail();
  find("#wall").addEventListener("click", (click) => {
    const card = click.target.closest(".view")?.closest(".camera");
    if (card) filterBy("source", card.dataset.name);
  });
  find("#list").addEventListener("click", (click) => {
    if (click.target.closest(".thumb, h3")) open(click.target.closest(".event").dataset.id);
  });
  find("#list").addEventListener("keydown", (press) => {
    if (press.key !== "Enter" || !press.target.matches(".event")) return;
    press.preventDefault(); // or the key would close at once what it opened
    open(press.target.dataset.id);
  });
  find("#theme").addEventListener("click", () => {
    setTheme(THEMES[(THEMES.indexOf(document.documentElement.dataset.theme || "") + 1) % THEMES.length]);
  });
  find("#help").addEventListener("click", () => find("#keys").showModal());
  find("#filters").addEventListener("change", showFiltered);
  find("#clear").addEventListener("click", () => { find("#filters").reset(); showFiltered(); });
  for (const button of find("#views").children) button.addEventListener("click", () => show(button.dataset.view));
  for (const dialog of document.querySelectorAll("dialog")) {
    find(".close", dialog).addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", (click) => { if (click.target === dialog) dialog.close(); });
  }
  addEventListener("keydown", (press) => {
    const isTyping = press.target.matches("select, input");
    if (!isTyping && !press.ctrlKey && !press.metaKey && !press.altKey && KEYS[press.key]) {
      press.preventDefault();
      KEYS[press.key]();
    }
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readColours(); cameras.forEach(drawSoon); });
  document.addEventListener("visibilitychange", () => cameras.forEach((one) => { drawSoon(one); showPicture(one); }));
  document.addEventListener("error", hideBroken, true);
  addEventListener("resize", () => cameras.forEach(drawSoon));
  setInterval(() => cameras.forEach(showPicture), PICTURE_MS);
  listen();
}

begin();
