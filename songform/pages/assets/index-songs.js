// The songs of the index, from the data of the page.

const { states, numbers, letters, songs: rows } = JSON.parse(document.getElementById("index-data").textContent);
const silence = states.findIndex(({ name }) => name === "Silence"); // -1 if no song contains any

const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

/** Return parts with start and end from a list of ends, each followed by the number of a label. */
function parts(ends) {
  const found = [];
  for (let i = 0; i < ends.length; i += 2) found.push({ start: i ? ends[i - 2] : 0, end: ends[i], label: ends[i + 1] });
  return found;
}

const songs = rows.map(([title, page, length, mean, lowest, where, ends, tempo, sections]) => {
  const segments = parts(ends).map(({ start, end, label }) => ({ start, end, state: numbers[label] }));
  const seconds = new Array(states.length).fill(0);
  for (const { start, end, state } of segments) seconds[state] += end - start;
  // The shares of the states are those of the sound; the share of silence is that of the whole song.
  const sound = length - (seconds[silence] ?? 0) || 1;
  const shares = seconds.map((sum, state) => sum / (state === silence ? length : sound));
  const found = { title, page, length, mean, lowest, where, segments, seconds, shares, tempo, plain: plain(title) };
  return { ...found, parts: parts(sections), sections: sections.length / 2 || null };
});

// Comparing titles is slow, so it is done once. `rank` is the position of a song in the order of titles.
const collator = new Intl.Collator(undefined, { numeric: true });
songs.sort((one, other) => collator.compare(one.title, other.title));
songs.forEach((song, rank) => Object.assign(song, { rank }));
