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
// Rows of a long table can be filtered by what is written in them.
const MANY_ROWS = 12;
for (const table of document.querySelectorAll("table.sorts")) {
  const rows = [...table.tBodies[0].rows];
  if (rows.length < MANY_ROWS) continue;
  const input = document.createElement("input");
  input.type = "search";
  input.className = "filter";
  input.placeholder = `Filter ${rows.length} rows`;
  input.setAttribute("aria-label", "Show only the rows of the table below that contain this text");
  input.addEventListener("input", () => {
    const wanted = input.value.trim().toLowerCase();
    for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
  });
  (table.closest(".wide") || table).before(input);
}
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
