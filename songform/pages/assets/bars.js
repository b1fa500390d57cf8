// Bar lines: a ruler with the numbers of the bars, lines through the curves when they are far enough apart, and the
// nearest line to a time. Elements exist only for the visible time range, so that long songs stay fast.

const bars = (() => {
  const { times, n_before: nBefore } = data.bars;
  const MIN_LINE_PIXELS = 24;
  const MIN_NUMBER_PIXELS = 36;

  /** Return the index of the first bar line at or after a time. */
  function from(time) {
    let low = 0;
    let high = times.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (times[middle] < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Return how many bars apart numbers are, a power of two, given the width of a bar in pixels. */
  function step(pixels) {
    return 2 ** Math.max(0, Math.ceil(Math.log2(MIN_NUMBER_PIXELS / pixels)));
  }

  /** Return the visible bar lines: their times and, for some of them, the number of the bar that begins there. */
  function visible(start, end, width) {
    if (times.length < 2 || !width) return [];
    const pixels = (((times.at(-1) - times[0]) / (times.length - 1)) * width) / (end - start);
    const apart = step(pixels);
    const lines = [];
    for (let index = from(start); index < times.length && times[index] <= end; index += 1) {
      const number = index - nBefore + 1;
      const isNumbered = number > 0 && (number - 1) % apart === 0;
      if (isNumbered || pixels >= MIN_LINE_PIXELS) {
        lines.push({ time: times[index], number: isNumbered ? number : null, isLine: pixels >= MIN_LINE_PIXELS });
      }
    }
    return lines;
  }

  return {
    hasAny: times.length > 0,
    visible,

    /** Return the number of the bar at a time, or null before the first bar. */
    numberAt(time) {
      const number = from(time + 1e-6) - nBefore;
      return times.length && number > 0 ? number : null;
    },

    /** Return how many bars begin from one time to another. */
    between: (start, end) => from(end - 0.01) - from(start - 0.01),

    /** Return the bar line nearest to a time, if one is within the bounds; otherwise the time itself. */
    nearest(time, low = 0, high = Infinity) {
      const index = from(Math.min(Math.max(time, low), high));
      const near = [times[index - 1], times[index]].filter((line) => line >= low && line <= high);
      if (!near.length) return time;
      return near.reduce((best, line) => (Math.abs(line - time) < Math.abs(best - time) ? line : best));
    },

    /** Return the next bar line after a time, or the one before it if the direction is negative. */
    next(time, direction) {
      const line = direction > 0 ? times[from(time + 0.001)] : times[from(time - 0.001) - 1];
      return line === undefined ? time : line;
    },
  };
})();
