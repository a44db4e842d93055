// DataTables does the sorting, filtering and paging; this says what it is wired to.
import DataTable from "DATATABLES";

function wire(table) {
  const controls = document.querySelector(`[data-for="${table.id}"]`);
  const filters = [...(controls?.querySelectorAll("[data-column]") ?? [])];
  const heads = [...table.tHead.rows[0].cells];
  const chosen = heads.map(() => null);
  for (const { dataset, value } of filters) {
    if (value) chosen[dataset.column] = { search: value, exact: true };
  }
  const board = new DataTable(table, {
    autoWidth: false,
    columns: heads.map((head) => ({ orderSequence: directions(head) })),
    layout: { topStart: null, topEnd: null, bottomStart: "info", bottomEnd: "paging" },
    language: { info: "_START_–_END_ of _TOTAL_", infoEmpty: "none", infoFiltered: "(of _MAX_)" },
    paging: table.tBodies[0].rows.length > 50,
    searchCols: chosen,
  });
  if (!controls) return;
  controls.hidden = false;
  controls.addEventListener("submit", (event) => event.preventDefault());
  controls.addEventListener("input", ({ target }) => {
    if (target.dataset.column !== undefined) {
      filter(board.column(Number(target.dataset.column)), target.value);
    } else if (target.dataset.views !== undefined) {
      view(board, target.value.split(" ").map(Number));
    } else {
      board.search(target.value);
    }
    board.draw();
  });
}

function directions(head) {
  return JSON.parse(head.dataset.directions);
}

function filter(column, value) {
  column.search(value, { exact: value !== "" }).visible(value === "");
}

function view(board, shown) {
  const metrics = board.columns(".metric").indexes().toArray();
  board.columns(metrics).visible(false, false);
  board.columns(shown).visible(true);
  const [[sorted] = []] = board.order();
  if (metrics.includes(sorted) && !shown.includes(sorted)) {
    board.order([[shown[0], directions(board.column(shown[0]).header())[0]]]);
  }
}

for (const table of document.querySelectorAll("table.board")) {
  const folded = table.closest("details");
  if (folded) folded.addEventListener("toggle", () => wire(table), { once: true });
  else wire(table);
}

const card = document.getElementById("card");

let cards;

function show(button) {
  cards ??= JSON.parse(document.getElementById("cards").textContent);
  card.innerHTML = cards[button.dataset.card];
  card.showPopover();
  const at = button.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = card;
  const beside = innerWidth - at.right > width + 20;
  const above = at.bottom + height + 8 > innerHeight && at.top > height;
  place("left", beside ? at.right + 14 : at.left, innerWidth - width);
  place("top", beside ? at.top - 30 : above ? at.top - height - 6 : at.bottom + 6, innerHeight - height);
}

function place(side, wanted, most) {
  card.style.setProperty(`--${side}`, `${Math.max(6, Math.min(wanted, most - 6))}px`);
}

for (const kind of ["pointerover", "focusin", "click"]) {
  document.addEventListener(kind, ({ target }) => {
    const button = target.closest("[data-card]");
    if (button) show(button);
    else if (!target.closest("#card")) card.hidePopover();
  });
}
document.addEventListener("keydown", ({ key }) => {
  if (key === "Escape") card.hidePopover();
});

const theme = document.getElementById("theme");
const dark = matchMedia("(prefers-color-scheme: dark)");
function paint(isDark) {
  document.documentElement.dataset.theme = isDark ? "dark" : "light";
  theme.setAttribute("aria-pressed", String(isDark));
}
theme.hidden = false;
theme.addEventListener("click", () => paint(theme.getAttribute("aria-pressed") !== "true"));
dark.addEventListener("change", () => paint(dark.matches));
paint(dark.matches);
