// What all parts of the page use. Everything from outside is set as text, never as HTML.

export const SENSES = { video: "seen", audio: "heard", text: "read" };
export const cameras = new Map(); // by name: {name, state, trace, card, isSeen}
export const events = new Map(); // by id: {event, row}

export const find = (selector, within = document) => within.querySelector(selector);
export const words = (name) => name.replaceAll("_", " ");
export const two = (value) => (value === null || value === undefined || value === "" ? "–" : Number(value).toFixed(2));
export const address = (path, fields) => `${path}?${new URLSearchParams(fields)}`;

export function copyOf(id) {
  return find(`#${id}`).content.firstElementChild.cloneNode(true);
}

/** Words of others, kept apart from ours whichever way they are written. */
export function isolated(text) {
  const bdi = document.createElement("bdi");
  bdi.textContent = text;
  return bdi;
}

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** A sense by its colour and name, with room for its score. */
export function sense(name, said) {
  const element = document.createElement("span");
  element.className = `sense ${name}`;
  element.append(`${said} `, document.createElement("b"));
  return element;
}

export function showRedis(said) {
  setText(find("#redis .value"), said || "Redis");
  find("#redis").className = said ? "bad" : "good";
}
