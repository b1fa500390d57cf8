// The rows of the list: elements that show one song each.

const color = ({ light, dark }) => `light-dark(${light}, ${dark})`;

function made(tag, className, ...content) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...content);
  return element;
}

function link(content, address) {
  if (!address) return content;
  const element = made("a", "", content);
  element.href = address;
  return element;
}

function picture(element, label) {
  element.setAttribute("role", "img");
  element.setAttribute("aria-label", label);
  return element;
}

function timeline({ segments, length, seconds, shares }) {
  const element = made("div", "timeline");
  const place = (time) => `${((time / length) * 100).toFixed(2)}%`;
  const stops = segments.map(({ start, end, state }) => `${color(states[state])} ${place(start)} ${place(end)}`);
  element.style.background = `linear-gradient(to right, ${stops.join(", ")})`;
  const amount = (i) => (i === silence ? words.clock(seconds[i], false) : words.percent(shares[i]));
  const present = [...states.keys()].filter((i) => seconds[i] > 0).map((i) => `${states[i].name} ${amount(i)}`);
  return picture(element, present.join(", "));
}

/** Return the letters of the sections, each as wide as its section; letters that do not fit are hidden by the style. */
function letterRow({ parts: sections, length }) {
  const boxes = sections.map(({ start, end, label }) => {
    const box = made("span", `letter letter-${label}`, made("b", "", letters[label]));
    box.style.width = `${(((end - start) / length) * 100).toFixed(2)}%`;
    return box;
  });
  return picture(made("div", "letters", ...boxes), `Sections ${sections.map(({ label }) => letters[label]).join(" ")}`);
}

/** Return a cell with text, or a dash that screen readers read as "none". */
function cell(className, text) {
  if (text !== null) return made("td", className, text);
  const dash = made("span", "", "–");
  dash.setAttribute("aria-hidden", "true");
  return made("td", className, dash, made("span", "unseen", "none"));
}

function row(song, sharedState) {
  const head = made("th", "song", made("span", "name", link(song.title || "Untitled", song.page)));
  head.scope = "row";
  if (song.parts.length) head.append(letterRow(song));
  head.append(timeline(song));
  const moment = link(`at ${words.clock(song.where, false)}`, song.page && `${song.page}#t=${song.where}`);
  return made(
    "tr",
    "",
    head,
    ...(sharedState >= 0 ? [cell("share", words.percent(song.shares[sharedState]))] : []),
    cell("length", words.clock(song.length, false)),
    cell("tempo", song.tempo === null ? null : `${Math.round(song.tempo)} BPM`),
    cell("sections", song.sections === null ? null : String(song.sections)),
    cell("mean", words.percent(song.mean)),
    made("td", "lowest", `${words.percent(song.lowest)} `, made("span", "where", moment)),
  );
}
