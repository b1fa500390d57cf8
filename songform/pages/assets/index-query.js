// What the user asks for: words, order and filters. It is kept in the fragment of the address, so that it is still
// there after going back from a song, and can be bookmarked: index.html#sort=tempo&order=descending&state=Calm&share=20

const NOTHING = { search: "", sort: "title", order: "ascending", state: "", share: "10", from: "", to: "" };
const query = { ...NOTHING };
const SHARE = "share of "; // before the name of a state, in `query.sort`
const NUMBERS = ["title", "lowest", "mean", "length", "tempo", "sections"];

const stateNumber = (name) => states.findIndex((state) => state.name === name);
const sortedState = () => (query.sort.startsWith(SHARE) ? stateNumber(query.sort.slice(SHARE.length)) : -1);
const isDown = () => query.order === "descending";

/** Return a number that was typed, or null if the field is empty or contains something else. */
const typed = (text) => (text.trim() === "" || !Number.isFinite(Number(text)) ? null : Number(text));

const isFiltered = () => ["search", "state", "from", "to"].some((name) => query[name].trim() !== "");

/** Return the songs in the order of the query. Songs without a value come last in either direction. */
function ordered() {
  const direction = isDown() ? -1 : 1;
  const state = sortedState();
  if (query.sort === "title") return isDown() ? songs.toReversed() : songs;
  const value = state >= 0 ? (song) => song.shares[state] : (song) => song[query.sort];
  return songs.toSorted((one, other) => {
    const [a, b] = [value(one), value(other)];
    const order = a === null || b === null ? (a === null) - (b === null) : direction * (a - b);
    return order || one.rank - other.rank;
  });
}

/** Return whether a song is in the list. Numbers are compared as they are displayed, in whole percents and seconds. */
function filter() {
  const sought = plain(query.search).split(/\s+/).filter(Boolean);
  const state = query.state ? stateNumber(query.state) : -1;
  const least = typed(query.share) ?? 0;
  const [from, to] = [(typed(query.from) ?? 0) * 60, (typed(query.to) ?? Infinity) * 60];
  return (song) => {
    if (state >= 0 && !(song.shares[state] > 0 && Math.round(song.shares[state] * 100) >= least)) return false;
    const length = Math.round(song.length);
    return length >= from && length <= to && sought.every((word) => song.plain.includes(word));
  };
}

/** Read the query from the address; values that are not possible are ignored. */
function readAddress() {
  const found = new URLSearchParams(location.hash.slice(1));
  Object.assign(query, NOTHING);
  for (const name of Object.keys(NOTHING)) if (found.has(name)) query[name] = found.get(name);
  if (!NUMBERS.includes(query.sort) && sortedState() < 0) query.sort = NOTHING.sort;
  if (stateNumber(query.state) < 0) query.state = NOTHING.state;
  for (const name of ["share", "from", "to"]) {
    if (query[name] && typed(query[name]) === null) query[name] = NOTHING[name];
  }
}

/** Write the query into the address, and the number of displayed songs into the history. */
function writeAddress(shown) {
  const changed = Object.entries(query).filter(([name, value]) => value !== NOTHING[name]);
  const fragment = new URLSearchParams(changed).toString();
  try {
    history.replaceState({ shown }, "", fragment ? `#${fragment}` : location.href.split("#")[0]);
  } catch {
    // browsers limit how often this can be called, and may deny it to pages that were opened from a disk
  }
}
