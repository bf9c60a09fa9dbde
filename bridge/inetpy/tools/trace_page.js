"use strict";
// The page of `inetpy trace FILE --html`. All text comes into it by `textContent` and by `fillText`: nothing of a trace
// becomes HTML. Where the page looks is in its address, #event=12&search=users&from=0&to=1000 (times in µs).
const data = JSON.parse(document.getElementById("data").textContent);
const [KIND, START, END, LANE, WHAT, ERROR, FAULTS, SIZE, DATA, FACTS] = Array(10).keys();
const items = data.items, lanes = data.lanes;
const byId = id => document.getElementById(id);
const KINDS = { call: "calls", send: "sent", recv: "received", socket: "sockets", fault: "faults" };
const ROW = 22, LANE_HEIGHT = 24, GUTTER = 230, AXIS = 22;
const colour = name => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`);

if (!data.timed) items.forEach((item, number) => { item[START] = item[END] = number * 1000; });
const onLane = lanes.map(() => []);
items.forEach((item, number) => onLane[item[LANE]].push(number));
const begin = items.length ? items[0][START] : 0;
const finish = items.reduce((latest, item) => Math.max(latest, item[END]), begin + 1);

const state = { from: begin, to: finish, chosen: -1, search: "", hidden: new Set(), top: 0 };
let shown = [], found = new Set();

// --- what is seen ---

function words(item) {
  if (item.words === undefined) {
    const facts = item[FACTS].map(([name, value]) => `${name} ${value}`).join("\n");
    item.words = [lanes[item[LANE]].join(" "), item[WHAT], item[FAULTS].join(" "), facts, textOf(bytesOf(item))]
      .join("\n").toLowerCase();
  }
  return item.words;
}

function bytesOf(item) {
  return item[DATA] === null ? new Uint8Array() : Uint8Array.from(atob(item[DATA]), letter => letter.charCodeAt(0));
}

function textOf(bytes) {
  return new TextDecoder("utf-8").decode(bytes);
}

function choose() {
  shown = [];
  found = new Set();
  const wanted = state.search.toLowerCase();
  items.forEach((item, number) => {
    if (state.hidden.has(item[KIND])) return;
    shown.push(number);
    if (wanted && words(item).includes(wanted)) found.add(number);
  });
  const total = `${items.length.toLocaleString("en")} events, ${lanes.length.toLocaleString("en")} lanes`;
  byId("count").textContent = wanted ? `${found.size.toLocaleString("en")} found of ${total}` : total;
}

// --- the time line ---

const canvas = byId("canvas"), time = byId("time");
const xOf = at => GUTTER + (at - state.from) / (state.to - state.from) * (time.clientWidth - GUTTER);
const timeAt = x => state.from + (x - GUTTER) / (time.clientWidth - GUTTER) * (state.to - state.from);

function firstAt(numbers, at) {
  let low = 0, high = numbers.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (items[numbers[middle]][START] < at) low = middle + 1; else high = middle;
  }
  return low;
}

function draw() {
  const width = time.clientWidth, height = time.clientHeight, scale = devicePixelRatio || 1;
  canvas.width = width * scale;
  canvas.height = height * scale;
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  pen.font = "12px system-ui, sans-serif";
  pen.textBaseline = "middle";
  drawAxis(pen, width, height);
  const colours = {};
  for (const name of ["call", "send", "recv", "socket", "fault", "error", "text", "weak", "line", "back"])
    colours[name] = colour(name);
  const first = Math.floor(state.top / LANE_HEIGHT);
  for (let lane = first; lane < lanes.length; lane++) {
    const y = AXIS + (lane + .5) * LANE_HEIGHT - state.top;
    if (y > height + LANE_HEIGHT) break;
    drawLane(pen, lane, y, width, colours);
  }
  pen.clearRect(0, 0, GUTTER, AXIS);
}

function drawAxis(pen, width, height) {
  const wanted = (state.to - state.from) / Math.max(2, (width - GUTTER) / 110);
  const power = 10 ** Math.floor(Math.log10(wanted));
  const step = [1, 2, 5, 10].map(factor => factor * power).find(size => size >= wanted);
  for (let at = Math.ceil(state.from / step) * step; at <= state.to; at += step) {
    const x = xOf(at);
    pen.fillStyle = colour("line");
    pen.fillRect(x, AXIS, 1, height);
    pen.fillStyle = colour("weak");
    pen.fillText(data.timed ? span(at, step) : `${Math.round(at / 1000)}`, x + 3, AXIS / 2);
  }
}

// µs as text with the unit that the steps need.
function span(at, step) {
  const [unit, name] = step >= 1e6 ? [1e6, "s"] : step >= 1000 ? [1000, "ms"] : [1, "µs"];
  return `${+(at / unit).toFixed(3)} ${name}`;
}

function drawLane(pen, lane, y, width, colours) {
  const numbers = onLane[lane];
  pen.fillStyle = colours.line;
  pen.fillRect(GUTTER, y, width - GUTTER, 1);
  const start = Math.max(0, firstAt(numbers, state.from - longest[lane]) - 1);
  let last = {};
  for (let index = start; index < numbers.length; index++) {
    const item = items[numbers[index]];
    if (item[START] > state.to) break;
    if (item[END] < state.from || state.hidden.has(item[KIND])) continue;
    const x = xOf(item[START]), kind = item[ERROR] ? "error" : item[KIND];
    const isChosen = numbers[index] === state.chosen, isFound = found.has(numbers[index]);
    if (!isChosen && !isFound && last[kind] === Math.round(x) && xOf(item[END]) - x < 2) continue;  // it is there already
    last[kind] = Math.round(x);
    mark(pen, item, kind, x, y, colours[kind]);
    if (isChosen || isFound) {
      pen.strokeStyle = colours[isChosen ? "text" : "fault"];
      pen.strokeRect(x - 6.5, y - 8.5, 13, 17);
    }
  }
  pen.clearRect(0, y - LANE_HEIGHT / 2, GUTTER, LANE_HEIGHT);
  pen.fillStyle = colours.text;
  pen.fillText(fitted(pen, lanes[lane][0], GUTTER - 16), 8, y);
}

// The longest item of each lane: where to begin to look for those that reach into the picture.
const longest = onLane.map(numbers => numbers.reduce((most, number) => Math.max(most, items[number][END] - items[number][START]), 0));

function mark(pen, item, kind, x, y, ink) {
  pen.fillStyle = ink;
  if (item[KIND] === "call") {
    pen.fillRect(x, y - 3, Math.max(2, xOf(item[END]) - x), 6);
  } else if (item[KIND] === "socket") {
    pen.fillRect(x - 1, y - 7, 2, 14);
  } else if (item[KIND] === "fault") {
    pen.beginPath(); pen.moveTo(x, y - 9); pen.lineTo(x + 5, y); pen.lineTo(x - 5, y); pen.fill();
  } else {
    const tip = item[KIND] === "send" ? 5 : -5;
    pen.beginPath(); pen.moveTo(x + tip, y); pen.lineTo(x - tip, y - 5); pen.lineTo(x - tip, y + 5); pen.fill();
  }
  if (item[FAULTS].length && item[KIND] !== "fault") {
    pen.fillStyle = colour("fault");
    pen.fillRect(x - 3, y + 8, 6, 2);
  }
}

function fitted(pen, text, width) {
  let size = text.length;
  while (size > 1 && pen.measureText(text.slice(0, size)).width > width) size--;
  return size < text.length ? `${text.slice(0, size - 1)}…` : text;
}

// --- the list: only the rows that are seen are there ---

function list() {
  const box = byId("list"), rows = byId("rows");
  rows.style.height = `${shown.length * ROW}px`;
  const first = Math.max(0, Math.floor(box.scrollTop / ROW) - 5);
  const past = Math.min(shown.length, first + Math.ceil(box.clientHeight / ROW) + 10);
  rows.replaceChildren(...shown.slice(first, past).map((number, index) => row(number, first + index)));
}

function row(number, place) {
  const item = items[number], line = document.createElement("div");
  const at = data.timed ? (item[START] / 1e6).toFixed(6).padStart(12) : "";
  const text = item[DATA] === null ? "" : ` ${JSON.stringify(textOf(bytesOf(item).slice(0, 120)))}`;
  line.textContent = `${at}  ${lanes[item[LANE]][0]}  ${item[WHAT]}${text}`;
  line.style.top = `${place * ROW}px`;
  line.className = [number === state.chosen && "chosen", found.has(number) && "found", item[ERROR] && "error"]
    .filter(Boolean).join(" ");
  line.onclick = () => select(number);
  return line;
}

// --- the details ---

function details() {
  const box = byId("details"), item = items[state.chosen];
  if (!item) {
    return box.replaceChildren("Click on an event. Drag the time line to move it, turn the wheel to zoom; arrows, +, -, 0, / and n work, too.");
  }
  const lane = lanes[item[LANE]], terms = document.createElement("dl");
  const took = item[END] - item[START];
  const facts = [
    ["event", `${item[KIND]}: ${item[WHAT]}`], ["socket", lane.slice(0, 3).filter(Boolean).join(" · ")],
    ["owner of the socket", lane[3]], ["time", data.timed ? moment(item[START]) : ""],
    ["took", took > 0 ? `${(took / 1000).toFixed(3)} ms` : ""], ["rules", item[FAULTS].join("\n")], ...item[FACTS],
  ];
  for (const [name, value] of facts) {
    if (!value) continue;
    terms.append(element("dt", name), element("dd", value));
  }
  box.replaceChildren(terms);
  if (item[DATA] !== null) {
    const bytes = bytesOf(item);
    if (bytes.length < item[SIZE]) box.append(element("p", `The first ${bytes.length} of ${item[SIZE]} bytes:`));
    box.append(element("pre", dump(bytes)));
  }
}

function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

function moment(at) {
  const whole = new Date(data.begin / 1e6 + at / 1000);
  return `${(at / 1e6).toFixed(6)} s after the first event · ${whole.toISOString()}`;
}

// As hexdump -C does it.
function dump(bytes) {
  const lines = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const part = Array.from(bytes.slice(at, at + 16));
    const digits = part.map(byte => byte.toString(16).padStart(2, "0")).join(" ").padEnd(47);
    const letters = part.map(byte => byte >= 32 && byte < 127 ? String.fromCharCode(byte) : ".").join("");
    lines.push(`${at.toString(16).padStart(6, "0")}  ${digits}  ${letters}`);
  }
  return lines.join("\n");
}

// --- what a reader does ---

let isAsked = false;
function show() {
  if (isAsked) return;
  isAsked = true;
  requestAnimationFrame(() => { isAsked = false; draw(); list(); });
}

function select(number, scrolls = false) {
  state.chosen = number;
  const item = items[number];
  if (item && (item[START] > state.to || item[END] < state.from)) {
    const half = (state.to - state.from) / 2;
    look(item[START] - half, item[START] + half);
  }
  if (item) {
    const y = item[LANE] * LANE_HEIGHT, room = time.clientHeight - AXIS - LANE_HEIGHT;
    state.top = Math.max(0, Math.min(state.top, y), y - room);
  }
  const place = shown.indexOf(number), box = byId("list");
  if (scrolls && place >= 0 && (place * ROW < box.scrollTop || (place + 2) * ROW > box.scrollTop + box.clientHeight))
    box.scrollTop = place * ROW - box.clientHeight / 2;
  details();
  remember();
  show();
}

function look(from, to) {
  const least = 1;  // µs
  if (to - from < least) to = from + least;
  const size = Math.min(to - from, (finish - begin) * 1.1);
  state.from = Math.max(begin - size * .05, Math.min(from, finish + size * .05 - size));
  state.to = state.from + size;
  remember();
  show();
}

function zoom(factor, x = (time.clientWidth + GUTTER) / 2) {
  const at = timeAt(Math.max(x, GUTTER));
  look(at - (at - state.from) * factor, at + (state.to - at) * factor);
}

function all() {
  look(begin - (finish - begin) * .02, finish + (finish - begin) * .02);
}

function step(by, isWanted = () => true) {
  let place = shown.indexOf(state.chosen);
  if (place < 0) place = by > 0 ? -1 : shown.length;
  for (place += by; place >= 0 && place < shown.length; place += by)
    if (isWanted(shown[place])) return select(shown[place], true);
}

function nearest(x, y) {
  const lane = Math.floor((y - AXIS + state.top) / LANE_HEIGHT), numbers = onLane[lane] || [];
  let best = -1, distance = 8;
  for (let index = Math.max(0, firstAt(numbers, timeAt(x - 8) - longest[lane]) - 1); index < numbers.length; index++) {
    const item = items[numbers[index]];
    if (item[START] > timeAt(x + 8)) break;
    if (state.hidden.has(item[KIND])) continue;
    const from = xOf(item[START]), to = xOf(item[END]);
    const away = x < from ? from - x : x > to ? x - to : item[KIND] === "call" ? 1 : 0;
    if (away < distance) { best = numbers[index]; distance = away; }
  }
  return best;
}

let drag = null;
canvas.onpointerdown = event => {
  drag = { x: event.offsetX, from: state.from, to: state.to, y: event.offsetY, top: state.top, moved: false };
  canvas.setPointerCapture(event.pointerId);
};
canvas.onpointermove = event => {
  if (!drag) return;
  drag.moved ||= Math.abs(event.offsetX - drag.x) + Math.abs(event.offsetY - drag.y) > 3;
  if (!drag.moved) return;
  const by = (event.offsetX - drag.x) / (time.clientWidth - GUTTER) * (drag.to - drag.from);
  state.top = Math.max(0, Math.min(drag.top + drag.y - event.offsetY, lanes.length * LANE_HEIGHT + AXIS - time.clientHeight));
  look(drag.from - by, drag.to - by);
};
canvas.onpointerup = event => {
  if (drag && !drag.moved) select(nearest(event.offsetX, event.offsetY), true);
  drag = null;
};
canvas.onwheel = event => {
  event.preventDefault();
  zoom(1.0015 ** event.deltaY, event.offsetX);
};
byId("list").onscroll = show;
byId("search").oninput = event => { state.search = event.target.value; choose(); remember(); show(); };
byId("in").onclick = () => zoom(.5);
byId("out").onclick = () => zoom(2);
byId("all").onclick = all;
addEventListener("resize", show);
matchMedia("(prefers-color-scheme: dark)").onchange = show;

const KEYS = {
  "+": () => zoom(.5), "=": () => zoom(.5), "-": () => zoom(2), "0": all,
  ArrowLeft: () => look(...[state.from, state.to].map(at => at - (state.to - state.from) / 5)),
  ArrowRight: () => look(...[state.from, state.to].map(at => at + (state.to - state.from) / 5)),
  ArrowDown: () => step(1), ArrowUp: () => step(-1),
  n: () => step(1, number => found.has(number)), N: () => step(-1, number => found.has(number)),
  "/": () => byId("search").focus(),
};
addEventListener("keydown", event => {
  const isTyping = event.target === byId("search");
  if (isTyping && event.key === "Enter") return step(event.shiftKey ? -1 : 1, number => found.has(number));
  if (isTyping && event.key === "Escape") return byId("search").blur();
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
  event.preventDefault();
  KEYS[event.key]();
});

let later = null;
function remember() {
  clearTimeout(later);
  later = setTimeout(() => {
    const words = new URLSearchParams();
    if (state.chosen >= 0) words.set("event", state.chosen);
    if (state.search) words.set("search", state.search);
    words.set("from", Math.round(state.from));
    words.set("to", Math.round(state.to));
    history.replaceState(null, "", `#${words}`);
  }, 300);
}

function kinds() {
  for (const [kind, name] of Object.entries(KINDS)) {
    const box = document.createElement("input"), label = document.createElement("label"), dot = document.createElement("i");
    box.type = "checkbox";
    box.checked = true;
    box.onchange = () => { state.hidden[box.checked ? "delete" : "add"](kind); choose(); show(); };
    dot.style.background = `var(--${kind})`;
    label.append(box, dot, name);
    byId("kinds").append(label);
  }
}

function start() {
  const words = new URLSearchParams(location.hash.slice(1));
  state.search = byId("search").value = words.get("search") || "";
  byId("notes").textContent = data.notes.join(" · ");
  time.style.height = `min(45vh, ${AXIS + Math.max(3, lanes.length) * LANE_HEIGHT + 12}px)`;
  kinds();
  choose();
  if (words.has("from") && words.has("to")) look(+words.get("from"), +words.get("to")); else all();
  if (words.has("event")) select(+words.get("event"), true); else details();
  document.body.dataset.events = items.length;
}
start();
