// Traces: what was thought of the last two minutes of a source, all together and by each sense.

const SECONDS = 120;
const COLUMNS = { score: 1, threshold: 2, video: 3, audio: 4, text: 5 };

let colours = {};

export function readColours() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["video", "audio", "text", "alarm", "line", "muted", "area"]) {
    colours[name] = style.getPropertyValue(`--${name}`).trim();
  }
}

/** Draws `[at, score, threshold, video, audio, text]`, oldest first, into the canvas. */
export function draw(canvas, points) {
  const ratio = Math.min(devicePixelRatio || 1, 2);
  const width = canvas.clientWidth, height = canvas.clientHeight;
  if (!width || !height) return;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  if (!points.length) return;
  const last = Date.parse(points.at(-1)[0]);
  const x = (point) => width - ((last - Date.parse(point[0])) / 1000 / SECONDS) * width;
  const y = (value) => height - 3 - value * (height - 6);
  drawThreshold(pen, points, width, y);
  drawArea(pen, points, x, y, height);
  for (const sense of ["text", "audio", "video"]) drawLine(pen, points, COLUMNS[sense], x, y, colours[sense], 1.25);
  drawLine(pen, points, COLUMNS.score, x, y, colours.line, 2);
}

function drawThreshold(pen, points, width, y) {
  const threshold = points.at(-1)[COLUMNS.threshold];
  if (threshold === null) return;
  pen.setLineDash([4, 4]);
  pen.lineWidth = 1;
  pen.strokeStyle = colours.alarm;
  pen.globalAlpha = 0.7;
  pen.beginPath();
  pen.moveTo(0, Math.round(y(threshold)) + 0.5);
  pen.lineTo(width, Math.round(y(threshold)) + 0.5);
  pen.stroke();
  pen.setLineDash([]);
  pen.globalAlpha = 1;
}

/** Below the score, red where it is over the threshold. */
function drawArea(pen, points, x, y, height) {
  for (let index = 1; index < points.length; index++) {
    const before = points[index - 1], here = points[index];
    if (isHole(before, here) || before[COLUMNS.score] === null || here[COLUMNS.score] === null) continue;
    const isOver = here[COLUMNS.score] >= here[COLUMNS.threshold];
    pen.fillStyle = isOver ? colours.alarm : colours.area;
    pen.globalAlpha = isOver ? 0.35 : 1;
    pen.beginPath();
    pen.moveTo(x(before), height);
    pen.lineTo(x(before), y(before[COLUMNS.score]));
    pen.lineTo(x(here), y(here[COLUMNS.score]));
    pen.lineTo(x(here), height);
    pen.fill();
  }
  pen.globalAlpha = 1;
}

function drawLine(pen, points, column, x, y, colour, width) {
  pen.strokeStyle = colour;
  pen.lineWidth = width;
  pen.lineJoin = "round";
  pen.beginPath();
  let isDown = false;
  points.forEach((point, index) => {
    if (point[column] === null || (index && isHole(points[index - 1], point))) isDown = false;
    if (point[column] === null) return;
    pen[isDown ? "lineTo" : "moveTo"](x(point), y(point[column]));
    isDown = true;
  });
  pen.stroke();
}

/** Whether nothing was judged between two windows for so long that no line joins them. */
function isHole(before, here) {
  return Math.abs(Date.parse(here[0]) - Date.parse(before[0])) > 5000;
}
