// Tables that can be sorted, filtered and exported, charts that can be saved, and guesses that are counted.
// The page is complete without this script.
"use strict";
(() => {
  const make = (tag, attributes = {}, text = "") => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.textContent = text;
    return element;
  };
  const button = (text, label, act) => {
    const made = make("button", { type: "button", "aria-label": label }, text);
    made.addEventListener("click", act);
    return made;
  };
  const save = (data, type, name) => {
    const link = make("a", { download: name, href: URL.createObjectURL(new Blob([data], { type })) });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
  const fileName = (text, fallback) => text.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "").slice(0, 60) || fallback;
  const plain = (cell) => {
    const copy = cell.cloneNode(true);
    copy.querySelectorAll("small, .direction").forEach((part) => part.remove());
    return copy.textContent.trim();
  };

  // What a table shows, as rows of texts; with `exact`, numbers as they are stored.
  const contents = (table, exact) => {
    const rows = [...table.tBodies[0].rows].filter((row) => !row.hidden);
    const head = [...table.tHead.rows[0].cells].map(plain);
    return [head, ...rows.map((row) => [...row.cells].map((cell) => (exact && cell.dataset.value) || plain(cell)))];
  };
  const csv = (rows) => rows.map((row) => row.map((text) => {
    const safe = /^[=+@\t\r]|^-(?![0-9.])/.test(text) ? `'${text}` : text;
    return /[",\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  }).join(",")).join("\n") + "\n";
  const markdown = ([head, ...rows], right) => {
    const line = (row) => `| ${row.map((text) => text.replaceAll("|", "\\|").replaceAll("\n", " ")).join(" | ")} |`;
    return [line(head), `|${right.map((is) => (is ? "---:" : "---")).join("|")}|`, ...rows.map(line)].join("\n") + "\n";
  };
  const ESCAPED = { "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "–": "--" };
  const latex = ([head, ...rows], right) => {
    const line = (row) => row.map((text) => text.replace(/[\\~^–&%$#_{}]/g, (c) => ESCAPED[c] || `\\${c}`)).join(" & ") + " \\\\";
    return [`\\begin{tabular}{${right.map((is) => (is ? "r" : "l")).join("")}}`, "\\toprule", line(head), "\\midrule",
      ...rows.map(line), "\\bottomrule", "\\end{tabular}"].join("\n") + "\n";
  };

  const value = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.value !== undefined ? Number(cell.dataset.value) : plain(cell);
  };
  const compare = (a, b) => {
    const numbers = [typeof a, typeof b].map((type) => type === "number");
    if (numbers[0] !== numbers[1]) return numbers[0] ? -1 : 1; // numbers before what is missing
    return numbers[0] ? a - b : a.localeCompare(b, undefined, { numeric: true });
  };
  const sort = (table, column) => {
    const head = table.tHead.rows[0].cells[column];
    const numeric = head.classList.contains("right");
    const now = head.getAttribute("aria-sort");
    const down = now ? now === "ascending" : numeric; // numbers begin with the largest
    for (const cell of table.tHead.rows[0].cells) {
      cell.removeAttribute("aria-sort");
      cell.querySelectorAll(".direction").forEach((mark) => { mark.textContent = ""; });
    }
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    head.querySelector(".direction").textContent = down ? " ↓" : " ↑";
    const rows = [...table.tBodies[0].rows].sort((a, b) => {
      const [x, y] = [value(a, column), value(b, column)];
      return typeof x === typeof y && down ? compare(y, x) : compare(x, y);
    });
    table.tBodies[0].append(...rows);
  };

  for (const box of document.querySelectorAll(".table")) {
    const table = box.querySelector("table");
    const heads = [...table.tHead.rows[0].cells];
    if (table.tBodies[0].rows[0].cells.length !== heads.length) continue; // an empty table
    table.querySelectorAll("[data-value]").forEach((cell) => { cell.title = cell.dataset.value; });
    heads.forEach((head, column) => {
      if (head.tagName === "TD") return; // a column without a name
      const act = make("button", { type: "button", class: "sort" });
      act.append(...head.childNodes, make("span", { class: "direction", "aria-hidden": "true" }));
      act.addEventListener("click", () => sort(table, column));
      head.append(act);
    });
    const name = table.caption ? table.caption.textContent.trim() : "table";
    const right = heads.map((head) => head.classList.contains("right"));
    const tools = make("div", { class: "tools" });
    if (table.tBodies[0].rows.length > 8) {
      const filter = make("input", { type: "search", placeholder: "Filter rows", "aria-label": `Filter rows: ${name}` });
      const count = make("span", { role: "status" });
      filter.addEventListener("input", () => {
        const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
        let shown = 0;
        for (const row of table.tBodies[0].rows) {
          const text = row.textContent.toLowerCase();
          row.hidden = !words.every((word) => text.includes(word));
          shown += !row.hidden;
        }
        count.textContent = words.length ? `${shown} of ${table.tBodies[0].rows.length}` : "";
      });
      tools.append(filter, count);
    }
    const file = fileName(name, "table");
    tools.append(
      button("CSV", `Save as CSV: ${name}`, () => save(csv(contents(table, true)), "text/csv", `${file}.csv`)),
      button("Markdown", `Save as Markdown: ${name}`, () => save(markdown(contents(table), right), "text/markdown", `${file}.md`)),
      button("LaTeX", `Save as LaTeX: ${name}`, () => save(latex(contents(table), right), "application/x-tex", `${file}.tex`)),
    );
    box.append(tools);
  }

  const picture = (svg) => {
    const copy = svg.cloneNode(true);
    const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
    const back = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    for (const [name, given] of [["width", width], ["height", height], ["fill", "white"]]) back.setAttribute(name, given);
    copy.prepend(back);
    return [new XMLSerializer().serializeToString(copy), width, height];
  };
  for (const box of document.querySelectorAll(".picture")) {
    const svg = box.querySelector("svg");
    const title = box.querySelector(".name");
    const file = fileName(title ? title.textContent : "", "chart");
    const tools = make("div", { class: "tools" });
    tools.append(
      button("SVG", `Save as SVG: ${file}`, () => save(picture(svg)[0], "image/svg+xml", `${file}.svg`)),
      button("PNG", `Save as PNG: ${file}`, () => {
        const [text, width, height] = picture(svg);
        const image = new Image();
        image.addEventListener("load", () => {
          const canvas = make("canvas", { width: width * 3, height: height * 3 });
          canvas.getContext("2d").drawImage(image, 0, 0, width * 3, height * 3);
          canvas.toBlob((blob) => save(blob, "image/png", `${file}.png`));
        });
        image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
      }),
    );
    box.append(tools);
  }

  // One score for all games of the page.
  const rounds = [...document.querySelectorAll(".game .round")];
  const scores = [...document.querySelectorAll(".game")].map((game) => {
    const score = make("p", { class: "score", role: "status" });
    game.append(score);
    return score;
  });
  let guesses = 0;
  let right = 0;
  rounds.forEach((round, number) => {
    const box = make("div", { class: "guess" });
    const outcome = make("span", { role: "status" });
    const details = round.querySelector("details");
    details.hidden = true;
    const buttons = ["A", "B"].map((side) => button(`${side} is real`, `Pair ${number + 1}: ${side} is real`, (event) => {
      guesses += 1;
      right += side === round.dataset.real;
      buttons.forEach((each) => { each.disabled = true; });
      event.currentTarget.setAttribute("aria-pressed", "true");
      outcome.textContent = side === round.dataset.real ? "Right." : "Wrong.";
      details.hidden = false;
      details.open = true;
      scores.forEach((score) => { score.textContent = `Your score: ${right} of ${guesses}. Guessing is right in half of the pairs.`; });
    }));
    box.append(...buttons, outcome);
    details.before(box);
  });
})();
