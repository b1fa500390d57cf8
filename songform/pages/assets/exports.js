// Export of the labels as files for songform annotate, mir_eval, jams and Audacity.

const exporting = (() => {
  const three = (time) => time.toFixed(3);

  return {
    /** Return a .lab file: one line per segment with start, end and label, separated by tabs. */
    lab: (list) => list.map(({ start, end, label }) => `${three(start)}\t${three(end)}\t${label}\n`).join(""),

    /** Return a JAMS file with one annotation in the namespace segment_open. */
    jams(list) {
      const observations = list.map(({ start, end, label, confidence }) => ({
        time: Number(three(start)),
        duration: Number((Number(three(end)) - Number(three(start))).toFixed(3)),
        value: label,
        confidence,
      }));
      const metadata = {
        curator: { name: "", email: "" },
        annotator: {},
        version: "",
        corpus: "",
        annotation_tools: "songform",
        annotation_rules: "",
        validation: "",
        data_source: "songform, edited by hand",
      };
      const annotation = {
        annotation_metadata: metadata,
        namespace: "segment_open",
        data: observations,
        sandbox: {},
        time: 0,
        duration: song.duration,
      };
      const file = {
        title: song.title,
        artist: "",
        release: "",
        duration: song.duration,
        identifiers: { songform: song.key },
        jams_version: "0.3.5",
      };
      return `${JSON.stringify({ annotations: [annotation], file_metadata: file, sandbox: {} }, null, 2)}\n`;
    },

    /** Save text as a file, as a download of the browser. */
    save(name, content, type) {
      const address = URL.createObjectURL(new Blob([content], { type }));
      const link = document.createElement("a");
      link.href = address;
      link.download = name;
      link.click();
      setTimeout(() => URL.revokeObjectURL(address), 10_000);
    },
  };
})();
