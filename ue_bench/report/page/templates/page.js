"use strict";
// The head of each column becomes a button that sorts the table: by number, with the units of bytes,
// if most cells begin with a number.
const UNITS = { B: 1, kB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 };
const number = (text) => {
  const match = /^[^\w+−-]*([+−-]?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?)\s*(B|kB|MB|GB|TB)?/.exec(text);
  if (!match) return NaN;
  return parseFloat(match[1].replace("−", "-").replaceAll(",", "")) * (UNITS[match[2]] || 1);
};
const cellText = (cell) => (cell ? cell.textContent.trim() : "");
for (const table of document.querySelectorAll("table.sorts")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const direction = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      const rows = [...table.tBodies[0].rows].map((row) => [row, cellText(row.cells[column])]);
      const filled = rows.filter(([, text]) => text !== "" && text !== "–");
      const numeric = filled.filter(([, text]) => !Number.isNaN(number(text))).length > filled.length / 2;
      const last = (text) => text === "" || text === "–" || (numeric && Number.isNaN(number(text)));
      rows.sort(([, a], [, b]) => {
        if (last(a) || last(b)) return last(a) - last(b);
        return direction * (numeric ? number(a) - number(b) : a.localeCompare(b, "en", { numeric: true }));
      });
      table.tBodies[0].append(...rows.map(([row]) => row));
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
    });
  });
}
// Every table is filtered by world, size and method, and a long one by what is written in its rows.
const MANY_ROWS = 12;
const SIZE = /\d[\d.]* (?:B|kB|MB|GB|TB)(?= \(|$)/; // 14 kB, in a cell or in the head of a column
const chosen = { world: "", size: "", method: "" };
const parts = [];
const firstOf = (text, pattern) => (pattern.exec(text) || [""])[0];
// The data set that a heading names, as in: base (ml-100k, random split)
const worldIn = (text) => (/\(([^,()]+), /.exec(text) || ["", ""])[1];
const headingOf = (table) => {
  for (let at = table.closest(".wide") || table; at; at = at.previousElementSibling) {
    if (/^H\d$/.test(at.tagName) || worldIn(at.tagName === "P" ? at.textContent : "")) return at;
  }
  return table.closest("details") ? table.closest("details").querySelector("summary") : null;
};
const filterAll = () => {
  for (const part of parts) {
    const fits = (text, wanted) => !wanted || !text || text === wanted;
    const world = fits(part.world, chosen.world);
    part.box.hidden = !world;
    if (part.input) part.input.hidden = !world;
    if (part.heading && part.heading.tagName === "H3") part.heading.hidden = !world;
    part.sizes.forEach((size, column) => {
      if (!part.ofColumns || !size) return;
      for (const row of part.table.rows) row.cells[column].hidden = !fits(size, chosen.size);
    });
    const wanted = part.input ? part.input.value.trim().toLowerCase() : "";
    for (const row of part.rows) {
      const ofSize = part.budget < 0 || fits(cellText(row.cells[part.budget]).replace("–", ""), chosen.size);
      const ofMethod = !part.methods || cellText(row.cells[0]).toLowerCase().includes(chosen.method.toLowerCase());
      row.hidden = !(ofSize && ofMethod && row.textContent.toLowerCase().includes(wanted));
    }
  }
};
for (const table of document.querySelectorAll("table.sorts")) {
  const heads = [...table.tHead.rows[0].cells].map(cellText);
  const part = { table, rows: [...table.tBodies[0].rows], box: table.closest(".wide") || table };
  part.heading = headingOf(table);
  part.world = part.heading ? worldIn(part.heading.textContent) : "";
  part.budget = heads.indexOf("budget");
  part.methods = ["arm", "strategy"].includes(heads[0]);
  part.sizes = heads.map((text) => firstOf(text, SIZE));
  heads.forEach((text, column) => { // the rank and the bytes of the size whose error is before them
    if (["rank", "total"].includes(text)) part.sizes[column] = part.sizes[column - 1] || "";
  });
  part.ofColumns = part.methods && part.sizes.some((size) => size);
  if (part.rows.length >= MANY_ROWS) {
    part.input = document.createElement("input");
    part.input.type = "search";
    part.input.className = "filter";
    part.input.placeholder = `Filter ${part.rows.length} rows`;
    part.input.setAttribute("aria-label", "Show only the rows of the table below that contain this text");
    part.input.addEventListener("input", filterAll);
    part.box.before(part.input);
  }
  parts.push(part);
}
const filters = document.createElement("form");
filters.id = "filters";
filters.setAttribute("aria-label", "Filter all tables of this page");
filters.addEventListener("submit", (event) => event.preventDefault());
const labelled = (name, control) => {
  const label = document.createElement("label");
  label.append(`${name} `, control);
  control.name = name;
  control.addEventListener("input", () => {
    chosen[name] = control.value.trim();
    filterAll();
  });
  filters.append(label);
};
const selectOf = (name, values) => {
  if (values.length < 2) return;
  const select = document.createElement("select");
  select.append(new Option("all", ""), ...values.map((value) => new Option(value, value)));
  labelled(name, select);
};
const unique = (values) => [...new Set(values.filter((value) => value))];
selectOf("world", unique(parts.map((part) => part.world)).sort());
const sizes = [];
for (const part of parts) {
  if (part.ofColumns) sizes.push(...part.sizes);
  if (part.budget >= 0) sizes.push(...part.rows.map((row) => firstOf(cellText(row.cells[part.budget]), SIZE)));
}
selectOf("size", unique(sizes).sort((a, b) => number(a) - number(b)));
if (parts.some((part) => part.methods)) {
  const method = document.createElement("input");
  method.type = "search";
  method.placeholder = "all";
  labelled("method", method);
}
if (filters.children.length) document.querySelector("nav").append(filters);
// What is wider than the screen says that it scrolls.
for (const box of document.querySelectorAll(".wide")) {
  const hint = document.createElement("p");
  hint.className = "note hint";
  hint.textContent = "scroll sideways for more \u2192";
  hint.setAttribute("aria-hidden", "true");
  (box.matches(".card") ? box.nextElementSibling : box).after(hint);
  const mark = () => {
    const more = box.scrollLeft + box.clientWidth < box.scrollWidth - 1;
    box.classList.toggle("more", more);
  };
  box.addEventListener("scroll", mark);
  new ResizeObserver(mark).observe(box);
}
// A finger cannot hover, and neither can a keyboard: the title of a tapped mark, or of one that the
// arrow keys reach, appears below the figure.
const choose = (card, point) => {
  const output = card.nextElementSibling;
  for (const other of card.querySelectorAll(".chosen")) other.classList.remove("chosen");
  output.hidden = !point;
  if (!point) return;
  point.classList.add("chosen");
  point.scrollIntoView({ block: "nearest", inline: "nearest" });
  output.textContent = point.querySelector("title").textContent;
};
const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
for (const card of document.querySelectorAll(".card")) {
  const points = [...card.querySelectorAll(".point")];
  if (!points.length) continue;
  card.setAttribute("role", "group");
  card.setAttribute("aria-label", "Figure. The arrow keys go from mark to mark.");
  card.addEventListener("click", (event) => choose(card, event.target.closest(".point")));
  card.addEventListener("keydown", (event) => {
    if (event.key === "Escape") choose(card, null);
    const step = STEPS[event.key];
    if (!step) return;
    event.preventDefault();
    const at = points.findIndex((point) => point.classList.contains("chosen"));
    const next = at < 0 ? (step > 0 ? 0 : points.length - 1) : at + step;
    choose(card, points[(next + points.length) % points.length]);
  });
}
// Headings of tables have links to themselves, like those of sections.
for (const heading of document.querySelectorAll("h3:not(:has(.anchor))")) {
  const slug = heading.textContent.trim().toLowerCase().replace(/[^a-z0-9]+/g, "-");
  let id = slug;
  for (let n = 2; document.getElementById(id); n += 1) id = `${slug}-${n}`;
  heading.id = id;
  const link = document.createElement("a");
  link.className = "anchor";
  link.href = `#${id}`;
  link.textContent = "#";
  link.setAttribute("aria-label", `Link to ${heading.textContent.trim()}`);
  heading.append(" ", link);
}
// Paper shows only what is open.
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details:not([open])")) details.open = true;
});
// A link into what is folded opens it.
const openTarget = () => {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  if (!target) return;
  for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
  const inside = target.matches("section") && target.querySelector(":scope > details");
  if (inside) inside.open = true;
  target.scrollIntoView();
};
addEventListener("hashchange", openTarget);
openTarget();
