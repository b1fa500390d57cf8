// The index page: searches and sorts the songs, and shows a hundred of them at a time.

const { states, songs: rows } = JSON.parse(document.getElementById("index-data").textContent);
const byId = (id) => document.getElementById(id);
const CHUNK = 100;

const silence = states.findIndex(({ name }) => name === "Silence"); // -1 if no song contains any

const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

const songs = rows.map(([title, page, length, mean, lowest, where, parts]) => {
  const seconds = new Array(states.length).fill(0);
  const segments = [];
  for (let i = 0, start = 0; i < parts.length; i += 2) {
    const [end, state] = [parts[i], parts[i + 1]];
    segments.push({ start, end, state });
    seconds[state] += end - start;
    start = end;
  }
  // The shares of the states are those of the sound; the share of silence is that of the whole song.
  const sound = length - (seconds[silence] ?? 0) || 1;
  const shares = seconds.map((sum, state) => sum / (state === silence ? length : sound));
  return { title, page, length, mean, lowest, where, segments, seconds, shares, plain: plain(title) };
});

const collator = new Intl.Collator(undefined, { numeric: true });
const order = { name: "title", isDown: false };
let found = songs;
let shown = 0;

const isShare = () => /^\d+$/.test(order.name);
const value = (song) => (isShare() ? song.shares[order.name] : song[order.name]);

function compare(one, other) {
  const byTitle = collator.compare(one.title, other.title);
  if (order.name === "title") return order.isDown ? -byTitle : byTitle;
  return (order.isDown ? value(other) - value(one) : value(one) - value(other)) || byTitle;
}

function timeline({ segments, length, seconds, shares }) {
  const element = document.createElement("div");
  element.className = "timeline";
  const place = (time) => `${((time / length) * 100).toFixed(2)}%`;
  const stops = segments.map(({ start, end, state }) => `${color(states[state])} ${place(start)} ${place(end)}`);
  element.style.background = `linear-gradient(to right, ${stops.join(", ")})`;
  element.setAttribute("role", "img");
  const amount = (i) => (i === silence ? words.clock(seconds[i], false) : words.percent(shares[i]));
  const present = [...states.keys()].filter((i) => seconds[i] > 0).map((i) => `${states[i].name} ${amount(i)}`);
  element.setAttribute("aria-label", present.join(", "));
  return element;
}

const color = ({ light, dark }) => `light-dark(${light}, ${dark})`;

function link(content, address) {
  if (!address) return content;
  const element = document.createElement("a");
  element.href = address;
  element.append(content);
  return element;
}

function cell(className, ...content) {
  const element = document.createElement("td");
  element.className = className;
  element.append(...content);
  return element;
}

function row(song) {
  const element = document.createElement("tr");
  const head = document.createElement("th");
  head.scope = "row";
  head.className = "song";
  const name = document.createElement("span");
  name.className = "name";
  name.append(link(song.title || "Untitled", song.page));
  head.append(name, timeline(song));
  const where = document.createElement("span");
  where.className = "where";
  where.append(link(`at ${words.clock(song.where, false)}`, song.page && `${song.page}#t=${song.where}`));
  element.append(head);
  if (isShare()) element.append(cell("share", words.percent(value(song))));
  element.append(
    cell("", words.clock(song.length, false)),
    cell("mean", words.percent(song.mean)),
    cell("", `${words.percent(song.lowest)} `, where),
  );
  return element;
}

function more() {
  byId("songs").append(...found.slice(shown, shown + CHUNK).map(row));
  shown = Math.min(shown + CHUNK, found.length);
  byId("more").hidden = shown >= found.length;
  byId("more").textContent = `Show more (${(found.length - shown).toLocaleString("en")} remaining)`;
}

function list() {
  const sought = plain(byId("search").value).split(/\s+/).filter(Boolean);
  found = songs.filter((song) => sought.every((word) => song.plain.includes(word))).sort(compare);
  shown = 0;
  byId("songs").replaceChildren();
  more();
  const [some, all] = [found.length, songs.length].map((count) => count.toLocaleString("en"));
  byId("found").textContent = some === all ? words.counted(songs.length, "song") : `${some} of ${all} songs`;
  byId("nothing").hidden = found.length > 0;
  heads();
}

/** Show in the header of the table by which column it is sorted. */
function heads() {
  const direction = order.isDown ? "descending" : "ascending";
  for (const head of document.querySelectorAll("[data-sort]")) {
    const isSorted = head.dataset.sort === (isShare() ? "share" : order.name);
    if (isSorted) head.setAttribute("aria-sort", direction);
    else head.removeAttribute("aria-sort");
  }
  document.querySelector(".share").hidden = !isShare();
  if (isShare()) byId("share-name").textContent = states[order.name].name;
  byId("sort").value = order.name;
  byId("direction").textContent = order.isDown ? "↓ Descending" : "↑ Ascending";
  byId("direction").setAttribute("aria-label", `Reverse the order (now ${direction})`);
}

function sort(name, isDown) {
  Object.assign(order, { name, isDown });
  list();
}

byId("controls").addEventListener("submit", (event) => event.preventDefault());
byId("search").addEventListener("input", list);
byId("sort").addEventListener("change", ({ target }) => sort(target.value, /^\d+$/.test(target.value)));
byId("direction").addEventListener("click", () => sort(order.name, !order.isDown));
byId("more").addEventListener("click", more);
for (const head of document.querySelectorAll("[data-sort]")) {
  head.querySelector("button").addEventListener("click", () => {
    const name = head.dataset.sort;
    if (name === "share" || name === order.name) sort(order.name, !order.isDown);
    else sort(name, false);
  });
}
addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.target.matches("input, select") || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  byId("search").focus();
});
new IntersectionObserver(([entry]) => entry.isIntersecting && !byId("more").hidden && more(), {
  rootMargin: "600px",
}).observe(byId("more"));
list();
