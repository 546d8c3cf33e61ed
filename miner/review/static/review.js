// The review of a run: a table that asks for the rows it shows, a map, and the reasons of one row.
// Plain ESM: no imports, no bundler, no network. Text of the corpus is only ever set as textContent.

const ROW = 26; // px of a row; the style says so too
const TALLEST = 8_000_000; // px: browsers cut elements off at 16 to 33 million
const PAGE = 100; // rows asked for at once
const CACHED = 60; // pages kept
const PATIENCE = 12_000; // ms without an answer before the page says so
const REFRESH = 15_000; // ms between looks at what others decided
const COLUMNS = [
  ["decision", "Decision"], ["token", "Unit"], ["kind", "Kind"], ["count", "Count"],
  ["score", "Score"], ["verdict", "Verdict"], ["family", "Family"], ["field", "Address"], ["why", "Why"],
];
const FIELD = "field:"; // and the name of a field: an order of the table
const KEYS = [
  ["j k ↑ ↓", "next and previous row"], ["PageUp PageDown Home End", "move further"],
  ["a", "accept"], ["r", "reject"], ["c", "clear what I decided"], ["e", "another form (rename)"],
  ["t", "another kind"], ["f", "another family"], ["l", "a label"], ["x", "select the row"],
  ["Shift+A Shift+R", "accept or reject the selection, or all rows of the view"],
  ["u", "undo"], ["y or Shift+U", "redo"], ["/", "search"],
  ["n", "accept a unit that was not proposed"], ["g", "go to the map's tools"],
  ["?", "this help"], ["Esc", "back to the table; then clear the selection"],
];
// Okabe and Ito's colours, darker on light ground
const LIGHT = ["#0072b2", "#c24e00", "#00805a", "#a8457f", "#8a6500", "#3f7fb5", "#6b4fa0", "#5b5b5b", "#a33b3b"];
const DARK = ["#56b4e9", "#ff9d5c", "#2fc79a", "#e89ac4", "#e6b422", "#9bd0f0", "#b9a3e3", "#b5b5b5", "#f08a8a"];

// Elements

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") node.textContent = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== false && value != null) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

const number = (value) => Number(value).toLocaleString("en-US");
const plural = (count, noun) => `${number(count)} ${noun}${count === 1 ? "" : "s"}`;
const unitText = (text, kind = "bdi") => make(kind, { text });

// Messages: every question has a ticket, and its answer or error comes back under it

function openChannel(model, onSilence, onAnswer) {
  const waiting = new Map();
  let last = 0;
  const receive = (message, buffers) => {
    const entry = waiting.get(message.ticket);
    if (!entry) return;
    onAnswer();
    waiting.delete(message.ticket);
    clearTimeout(entry.timer);
    if (message.error) entry.reject(new Error(message.error));
    else entry.resolve({ ...message.answer, buffers: buffers ?? [] });
  };
  const ask = (content) => new Promise((resolve, reject) => {
    const ticket = `${Date.now()}-${++last}`;
    const timer = setTimeout(onSilence, PATIENCE);
    waiting.set(ticket, { resolve, reject, timer });
    try { model.send({ ...content, ticket }); } catch {
      waiting.delete(ticket);
      clearTimeout(timer);
      reject(new Error("the kernel is gone. Run the cell again"));
    }
  });
  const close = () => {
    model.off("msg:custom", receive);
    for (const entry of waiting.values()) clearTimeout(entry.timer);
  };
  model.on("msg:custom", receive);
  return { ask, close };
}

// The widget

function render({ model, el }) {
  const state = {
    query: { search: "", kind: "", verdict: "", decision: "", family: "", only: null, sort: "rank", descending: false },
    view: 0, total: 0, pages: new Map(), asked: new Set(), rows: new Map(),
    at: 0, first: 0, offset: 0, selected: new Set(), pending: 0, counts: {}, about: null,
    details: new Map(), finding: 0, silent: false, closed: false, field: "address", amounts: new Set(),
  };
  const parts = buildFrame();
  el.append(parts.root);
  const SILENT = "No answer from the kernel: it is busy or stopped. What shows as saving is not saved yet; run the cell again if it does not come back.";
  const channel = openChannel(model, () => tell(SILENT, true), () => { if (parts.message.textContent === SILENT) tell(""); });
  const ask = channel.ask;
  const map = makeMap(parts, { pick: goToRow, lasso: chooseLasso });
  const tools = { state, decideFields, goToRow: (row) => { focusGrid(); goToRow(row); }, family: (head) => { focusGrid(); filter("family", head); } };

  // What is said to the reader

  function tell(text, bad = false) {
    parts.message.textContent = text;
    parts.message.classList.toggle("bad", bad);
    parts.message.hidden = !text;
  }
  const fail = (error) => tell(error.message, true);

  // What was not saved stays on the page until something is saved, or Escape: no other message hides it
  function tellLost(reason) {
    parts.lost.textContent = reason ? `Not saved: ${reason}` : "";
    parts.lost.hidden = !reason;
    if (reason) tell("");
    showState();
  }

  function showState() {
    const { counts, total, pending, selected } = state;
    const said = [["accept", "accepted"], ["reject", "rejected"], ["changed", "changed"], ["conflict", "in conflict"], ["falls", "falling with another"]]
      .filter(([name]) => counts[name]).map(([name, word]) => `${number(counts[name])} ${word}`);
    parts.shown.textContent = `${number(total)} of ${plural(counts.proposals ?? 0, "proposal")}`;
    parts.said.textContent = said.join(" · ") || "nothing decided yet";
    const lost = !parts.lost.hidden;
    parts.saved.textContent = pending ? `saving ${number(pending)}…` : lost ? "not saved" : "saved";
    parts.saved.classList.toggle("busy", pending > 0 || lost);
    const chips = [];
    if (state.query.only) chips.push(makeChip(`${plural(state.query.only.length, "unit")} of the lasso`, clearLasso));
    if (state.query.family) chips.push(makeChip(`family of ${state.query.family}`, () => filter("family", "")));
    if (selected.size) chips.push(makeChip(`${plural(selected.size, "row")} selected`, clearSelection));
    parts.chips.replaceChildren(...chips);
  }

  const makeChip = (text, clear) => make("button", { class: "chip", type: "button", "aria-label": `${text}: clear`, onclick: () => { clear(); focusGrid(); } },
    unitText(text, "span"), make("span", { text: "×", "aria-hidden": "true" }));

  function takeState(answer) {
    state.counts = answer.counts;
    parts.notes.replaceChildren(...answer.notes.map((text) => make("p", { text })));
    parts.notes.hidden = !answer.notes.length;
    showState();
  }

  // Views and rows

  // A key that decides waits for the view that the reader asked for
  function find(options) {
    const turn = ++state.finding;
    state.found = lookUp(turn, options).finally(() => { if (turn === state.finding) state.found = null; });
    return state.found;
  }

  async function lookUp(turn, { keep = true } = {}) {
    const row = keep ? currentRow()?.row ?? null : null;
    try {
      const found = await ask({ do: "find", query: state.query, row });
      if (turn !== state.finding) return;
      Object.assign(state, { view: found.view, total: found.total, at: found.at });
      state.pages.clear(); state.asked.clear();
      const span = found.rows.length;
      keepRows(found.first, found.rows);
      state.whole = span === found.total;
      setHeight(); moveTo(found.at, { center: true }); showState(); showSort();
      tell("");
    } catch (error) { fail(error); }
  }

  // Rows come in any span; they are kept one by one under their place, and dropped by page
  function keepRows(first, rows) {
    rows.forEach((row, i) => {
      const page = Math.floor((first + i) / PAGE);
      if (!state.pages.has(page)) state.pages.set(page, new Array(PAGE));
      state.pages.get(page)[(first + i) % PAGE] = row.row;
      state.rows.set(row.row, mergePending(row));
    });
    while (state.pages.size > CACHED) dropFarthest();
  }

  function dropFarthest() {
    const here = Math.floor(state.first / PAGE);
    const far = [...state.pages.keys()].reduce((a, b) => (Math.abs(b - here) > Math.abs(a - here) ? b : a));
    for (const row of state.pages.get(far)) state.rows.delete(row);
    state.pages.delete(far);
  }

  function rowAt(place) {
    const row = state.pages.get(Math.floor(place / PAGE))?.[place % PAGE];
    return row === undefined ? null : state.rows.get(row) ?? null;
  }
  const currentRow = () => rowAt(state.at);

  function askAround(from, to) {
    const last = Math.floor(Math.max(state.total - 1, 0) / PAGE);
    for (let page = Math.max(0, Math.floor((from - 30) / PAGE)); page <= Math.min(last, Math.floor((to + 30) / PAGE)); page++) {
      const size = Math.min(PAGE, state.total - page * PAGE);
      const held = state.pages.get(page);
      let whole = !!held;
      for (let i = 0; whole && i < size; i++) whole = held[i] !== undefined && state.rows.has(held[i]);
      if (!whole && !state.asked.has(page)) askPage(page);
    }
  }

  async function askPage(page) {
    const view = state.view;
    state.asked.add(page);
    try {
      const answer = await ask({ do: "rows", view, first: page * PAGE, count: PAGE });
      if (view !== state.view) return;
      keepRows(answer.first, answer.rows);
      paint();
      if (!state.shownRow || state.shownRow !== currentRow()?.row) showDetailSoon();
    } catch (error) { if (view === state.view) fail(error); }
    finally { if (view === state.view) state.asked.delete(page); }
  }

  // Scrolling: a place of the table is a row and an offset; tall tables are scaled

  const space = () => Math.max(parts.scroll.clientHeight - parts.head.offsetHeight, ROW);
  const visible = () => Math.max(1, Math.floor(space() / ROW));
  const scaled = () => state.total * ROW > TALLEST;
  const reach = () => Math.max(parts.scroll.scrollHeight - parts.scroll.clientHeight, 1);
  const lastFirst = () => Math.max(state.total - visible(), 0);

  function setHeight() {
    parts.pad.style.height = `${Math.min(state.total * ROW, TALLEST) + parts.head.offsetHeight}px`;
    parts.grid.setAttribute("aria-rowcount", state.total + 1);
    parts.window.style.height = `${parts.scroll.clientHeight}px`;
  }

  // A message above the table makes it lower: the current row stays in sight if it was
  function keepInSight() {
    const seen = state.at >= state.first && state.at < state.first + state.fits;
    setHeight();
    if (seen && state.at >= state.first + visible()) setFirst(state.at - visible() + 1);
    paint();
  }

  function readScroll() {
    const top = parts.scroll.scrollTop;
    if (state.own !== undefined && Math.abs(top - state.own) < 2) return;
    state.own = undefined;
    const exact = scaled() ? (top / reach()) * lastFirst() : top / ROW;
    state.first = Math.floor(exact);
    state.offset = scaled() ? 0 : top - state.first * ROW;
    paint();
  }

  function setFirst(first) {
    state.first = Math.max(0, Math.min(first, lastFirst()));
    state.offset = 0;
    parts.scroll.scrollTop = scaled() ? (state.first / Math.max(lastFirst(), 1)) * reach() : state.first * ROW;
    state.own = parts.scroll.scrollTop;
  }

  function wheel(event) {
    if (!scaled() || event.ctrlKey || !event.deltaY) return;
    event.preventDefault();
    const step = event.deltaMode === 1 ? event.deltaY : event.deltaY / ROW;
    setFirst(state.first + (Math.round(step) || Math.sign(step)));
    paint();
  }

  function moveTo(place, { center = false } = {}) {
    if (!state.total) { state.at = 0; state.first = 0; state.offset = 0; paint(); showDetailSoon(); return; }
    state.at = Math.max(0, Math.min(place, state.total - 1));
    const count = visible();
    if (state.at < state.first || (state.at === state.first && state.offset)) setFirst(center ? state.at - (count >> 1) : state.at);
    else if (state.at >= state.first + count) setFirst(center ? state.at - (count >> 1) : state.at - count + 1);
    else if (state.first > lastFirst()) setFirst(lastFirst());
    paint();
    showDetailSoon();
    map.light(currentRow()?.row ?? null);
  }

  // Drawing of the table

  function paint() {
    const count = Math.ceil((space() + state.offset) / ROW) + 1;
    const to = Math.min(state.total, state.first + count);
    state.fits = visible();
    askAround(state.first, to);
    while (parts.body.children.length > to - state.first) parts.body.lastChild.remove();
    for (let place = state.first; place < to; place++) {
      const slot = parts.body.children[place - state.first] ?? parts.body.appendChild(makeRow());
      fillRow(slot, place);
    }
    parts.body.style.transform = `translateY(${-state.offset}px)`;
    parts.empty.hidden = state.total > 0 || !state.view;
    parts.grid.setAttribute("aria-activedescendant", state.total ? `${parts.id}-${state.at}` : "");
  }

  function makeRow() {
    const row = make("div", { role: "row", class: "row" });
    COLUMNS.forEach(([name], i) => row.append(make("div", { role: "gridcell", class: `cell ${name}`, "aria-colindex": i + 1 })));
    return row;
  }

  function fillRow(slot, place) {
    const row = rowAt(place);
    const mine = row?.mine.verdict;
    slot.id = `${parts.id}-${place}`;
    slot.dataset.place = place;
    slot.setAttribute("aria-rowindex", place + 2);
    slot.setAttribute("aria-selected", String(!!row && state.selected.has(row.row)));
    slot.className = ["row", place === state.at && "current", row && state.selected.has(row.row) && "selected", mine && `is-${mine}`].filter(Boolean).join(" ");
    if (place === state.at) slot.setAttribute("aria-current", "true"); else slot.removeAttribute("aria-current");
    const cells = slot.children;
    if (!row) { for (const cell of cells) cell.textContent = ""; cells[1].textContent = "…"; return; }
    cells[0].replaceChildren(...tellDecision(row));
    cells[1].replaceChildren(...tellToken(row));
    const texts = { 2: row.mine.kind ?? row.kind, 3: number(row.count), 4: row.score == null ? "" : row.score.toFixed(3), 5: row.verdict, 7: row.known[state.field] ?? "", 8: row.why };
    for (const [i, text] of Object.entries(texts)) cells[i].textContent = text;
    cells[2].classList.toggle("new", !!row.mine.kind);
    cells[5].dataset.verdict = row.verdict === "kept" ? "kept" : "refused";
    cells[6].replaceChildren(unitText(row.mine.family ?? row.head));
    cells[6].classList.toggle("new", !!row.mine.family);
    cells[1].title = cells[1].textContent;
    cells[7].title = cells[7].textContent;
    cells[7].classList.toggle("amount", state.amounts.has(state.field));
    cells[8].title = row.why;
  }

  function tellDecision(row) {
    const { mine, others } = row;
    const found = [];
    if (mine.verdict) found.push(make("span", { class: `mark ${mine.verdict}`, text: mine.verdict === "accept" ? "✓ accept" : "✗ reject" }));
    else if (Object.keys(mine).length) found.push(make("span", { class: "mark changed", text: "✎ changed" }));
    else if (row.falls) found.push(make("span", { class: "mark falls", text: "↓ falls", title: "built on a rejected unit" }));
    if (row.saving) found.push(make("span", { class: "saving", text: "…", title: "saving" }));
    if (row.conflict) found.unshift(make("span", { class: "mark conflict", text: "≠", title: "reviewers differ" }));
    else if (Object.keys(others).length) found.push(make("span", { class: "mark other", text: "◦", title: Object.entries(others).map(([name, said]) => `${name}: ${tellSaid(said)}`).join("; ") }));
    return found;
  }

  function tellToken(row) {
    const found = [make("bdi", { class: row.mine.token ? "old" : "", text: row.shown })];
    if (row.mine.token) found.unshift(make("bdi", { class: "new", text: row.mine.token }), make("span", { class: "arrow", text: "←" }));
    if (row.mine.label) found.push(make("bdi", { class: "label", text: row.mine.label }));
    return found;
  }

  function showSort() {
    for (const cell of parts.head.children) {
      const on = cell.dataset.sort === state.query.sort;
      cell.setAttribute("aria-sort", on ? (state.query.descending ? "descending" : "ascending") : "none");
    }
  }

  function sortBy(name) {
    const { query } = state;
    const numeric = name === "count" || name === "score" || (name.startsWith(FIELD) && state.amounts.has(state.field));
    if (query.sort !== name) Object.assign(query, { sort: name, descending: numeric || name === "decision" });
    else if (query.descending === (numeric || name === "decision")) query.descending = !query.descending;
    else Object.assign(query, { sort: "rank", descending: false });
    find({ keep: false });
  }

  function showField(name) {
    const sorted = state.query.sort.startsWith(FIELD);
    const cell = parts.head.querySelector(".field");
    state.field = name;
    cell.dataset.sort = FIELD + name;
    cell.firstChild.textContent = name.charAt(0).toUpperCase() + name.slice(1);
    cell.firstChild.title = `Sort by ${name}`;
    if (sorted) sortBy(FIELD + name); else { showSort(); paint(); }
  }

  function filter(name, value) {
    state.query[name] = value;
    if (parts[name] && parts[name].value !== value) parts[name].value = value;
    find();
  }

  // Decisions: the page believes them at once, and takes them back if they are not saved

  const waiting = new Map(); // row: changes under way, oldest first

  function mergePending(row) {
    const under = waiting.get(row.row);
    if (!under?.length) return { ...row, saving: false };
    return { ...row, saving: true, mine: under.reduce((mine, changes) => applyChanges(mine, changes), row.mine) };
  }

  function applyChanges(mine, changes) {
    const next = { ...mine, ...changes };
    for (const name of Object.keys(next)) if (next[name] == null) delete next[name];
    return next;
  }

  async function decide(rows, changes) {
    const before = new Map(rows.map((row) => [row, state.rows.get(row)?.mine]));
    for (const row of rows) {
      waiting.set(row, [...(waiting.get(row) ?? []), changes]);
      const known = state.rows.get(row);
      if (known) state.rows.set(row, { ...known, saving: true, mine: applyChanges(known.mine, changes) });
    }
    state.pending += rows.length;
    state.details.clear();
    if (changes.verdict !== undefined) map.mark(rows, changes.verdict);
    paint(); showState();
    let refused = null;
    let note = "";
    try {
      const answer = await ask({ do: "act", action: "decide", rows, changes });
      refused = answer.problem;
      note = answer.note ?? "";
      forget(rows, changes);
      takeOutcome(answer);
    } catch (error) {
      forget(rows, changes);
      refused = error.message;
    }
    state.pending -= rows.length;
    tellLost(refused);
    if (refused) { takeBack(before); await reload(rows); }
    paint(); showState();
    return refused ? null : `Saved. ${note}`;
  }

  // At once, for a kernel that is gone cannot be asked; later decisions on the row are put on top again
  function takeBack(before) {
    for (const [row, mine] of before) {
      const known = state.rows.get(row);
      if (known && mine) state.rows.set(row, mergePending({ ...known, mine }));
      map.mark([row], mine?.verdict);
    }
  }

  function forget(rows, changes) {
    for (const row of rows) {
      const left = (waiting.get(row) ?? []).filter((entry) => entry !== changes);
      if (left.length) waiting.set(row, left); else waiting.delete(row);
    }
  }

  async function reload(rows) {
    try {
      const answer = await ask({ do: "rows", list: rows.slice(0, 1000) });
      for (const row of answer.rows) if (state.rows.has(row.row)) state.rows.set(row.row, mergePending(row));
      map.refresh(ask);
    } catch (error) { fail(error); }
  }

  function takeOutcome(answer) {
    for (const row of answer.rows) if (state.rows.has(row.row)) state.rows.set(row.row, mergePending(row));
    if (answer.touched > answer.rows.length) { state.pages.clear(); state.asked.clear(); }
    if (answer.touched) { state.details.clear(); showDetailSoon(); }
    if (answer.rows.length === answer.touched) map.take(answer.rows); else map.refresh(ask);
    takeState(answer);
    paint();
  }

  async function decideView(verdict) {
    const chosen = state.selected.size ? [...state.selected] : null;
    if (!chosen) await find(); // decided rows may have left the view
    const count = chosen?.length ?? state.total;
    if (!count) return;
    const what = chosen ? "selected rows" : state.query.only ? "rows of the lasso" : "rows of this view";
    const word = verdict === "accept" ? "Accept" : "Reject";
    const view = state.view;
    if (!(await askReader(`${word} ${number(count)} ${what}?`, `${word} ${number(count)}`))) return;
    state.pending += count; showState();
    try {
      const answer = await ask({ do: "act", action: "decide", rows: chosen, view, changes: { verdict } });
      takeOutcome(answer);
      tellLost(answer.problem);
      tell(answer.problem ? "" : `${word}ed ${number(count)} ${what}. u takes it back.`);
      if (!answer.problem) clearSelection();
    } catch (error) { tellLost(error.message); }
    state.pending -= count; showState();
  }

  async function act(action, done) {
    state.pending += 1; showState();
    try {
      const answer = await ask({ do: "act", action });
      takeOutcome(answer);
      tell(answer.problem ?? `${done} ${plural(answer.touched, "row")}.`, false);
      if (answer.touched && answer.rows.length === 1) await goToRow(answer.rows[0].row, { force: false });
    } catch (error) { tellLost(error.message); }
    state.pending -= 1; showState();
  }

  async function refresh() {
    if (state.closed || state.refreshing || state.pending || document.hidden || !parts.root.isConnected) return;
    state.refreshing = true;
    try {
      const answer = await ask({ do: "act", action: "refresh" });
      if (answer.touched) takeOutcome(answer);
    } catch (error) { fail(error); } finally { state.refreshing = false; }
  }

  async function addUnit() {
    const text = await askReader("Accept a unit that was not proposed", "Accept", { field: "Its text, as the corpus writes it" });
    if (!text) return;
    try {
      const answer = await ask({ do: "act", action: "add", text });
      takeOutcome(answer);
      tellLost(answer.problem);
      tell(answer.problem ? "" : `Accepted. ${answer.note ?? ""}`);
      if (answer.rows.length === 1) await goToRow(answer.rows[0].row);
    } catch (error) { tellLost(error.message); }
  }

  // Where to go

  async function goToRow(row, { force = true } = {}) {
    try {
      let { at } = await ask({ do: "place", view: state.view, row });
      if (at < 0 && force) {
        clearFilters();
        await find({ keep: false });
        ({ at } = await ask({ do: "place", view: state.view, row }));
        tell("The filters were cleared to show it.");
      }
      if (at >= 0) moveTo(at, { center: true });
    } catch (error) { fail(error); }
  }

  function clearFilters() {
    Object.assign(state.query, { search: "", kind: "", verdict: "", decision: "", family: "", only: null });
    for (const name of ["search", "kind", "verdict", "decision", "family"]) parts[name].value = "";
    map.select(null);
  }

  function chooseLasso(rows) {
    state.query.only = rows;
    find({ keep: false });
    focusGrid();
  }
  function clearLasso() { state.query.only = null; map.select(null); find(); }
  function clearSelection() { state.selected.clear(); paint(); showState(); }

  function toggleSelected(place) {
    const row = rowAt(place);
    if (!row) return;
    if (!state.selected.delete(row.row)) state.selected.add(row.row);
    paint(); showState();
  }

  const focusGrid = () => parts.grid.focus({ preventScroll: true });

  // The reasons

  // What the table knows of a row is shown at once: a field is there when its key is pressed
  function showDetailSoon() {
    clearTimeout(state.soon);
    const row = currentRow();
    state.shownRow = row?.row ?? null;
    if (!row) { if (!state.total) parts.detail.replaceChildren(); return; }
    showHead(row);
    const known = state.details.get(row.row);
    if (known) showReasons(known);
    else state.soon = setTimeout(() => askDetail(row.row), 90);
  }

  const headRow = () => Number(parts.detail.firstChild?.dataset?.row ?? -1);

  function showHead(row) {
    const same = headRow() === row.row;
    if (same && parts.detail.contains(document.activeElement)) return; // someone writes there
    if (!same) {
      parts.headline = make("p", { class: "headline", text: row.why });
      parts.reasons = make("div", { class: "reasons" });
    }
    parts.detail.replaceChildren(makeTitle(row, tools), parts.headline, makeFields(row, tools), parts.reasons);
    if (!same) parts.detail.scrollTop = 0;
  }

  async function askDetail(row) {
    try {
      const detail = await ask({ do: "detail", row });
      state.details.set(row, detail);
      if (state.details.size > 60) state.details.delete(state.details.keys().next().value);
      if (headRow() === row) showReasons(detail);
    } catch (error) { fail(error); }
  }

  function showReasons(detail) {
    parts.headline.textContent = detail.explained.headline;
    parts.reasons.replaceChildren(...describe(detail, tools));
  }

  async function decideFields(row, changes) {
    leaveFields();
    if (!Object.keys(changes).length) return;
    const told = await decide([row], changes);
    if (told) tell(told);
  }

  const giveUpFields = () => parts.detail.querySelector(".fields")?.dispatchEvent(new Event("giveup"));
  function leaveFields() { focusGrid(); state.shownRow = null; showDetailSoon(); }

  function editField(name) {
    const row = currentRow();
    if (!row) return;
    showHead(row);
    const field = parts.detail.querySelector(`[data-field="${name}"]`);
    field.focus();
    field.select?.();
  }

  // A dialog inside the widget: returns the text of its field, true, or null

  function askReader(title, yes, { field = null, body = [] } = {}) {
    return new Promise((resolve) => {
      const input = field && make("input", { type: "text", "aria-label": field, placeholder: field });
      const finish = (answer) => { parts.curtain.replaceChildren(); parts.curtain.hidden = true; focusGrid(); resolve(answer); };
      const agree = () => finish(field ? input.value.trim() || null : true);
      const buttons = make("div", { class: "buttons" },
        yes ? make("button", { type: "button", class: "primary", text: yes, onclick: agree }) : "",
        make("button", { type: "button", text: yes ? "Cancel" : "Close", onclick: () => finish(null) }));
      const box = make("div", { role: "dialog", "aria-modal": "true", "aria-label": title, class: "dialog" },
        make("h3", { text: title }), ...body, input || "", buttons);
      box.addEventListener("keydown", (event) => {
        if (event.key === "Escape") { event.preventDefault(); finish(null); }
        else if (event.key === "Enter" && event.target === input) { event.preventDefault(); agree(); }
        else if (event.key === "Tab") trapFocus(box, event);
      });
      parts.curtain.replaceChildren(box);
      parts.curtain.hidden = false;
      (input || box.querySelector("button")).focus();
    });
  }

  function trapFocus(box, event) {
    const all = [...box.querySelectorAll("input, button")];
    const next = all.indexOf(document.activeElement) + (event.shiftKey ? -1 : 1);
    event.preventDefault();
    all[(next + all.length) % all.length].focus();
  }

  function showHelp() {
    const list = make("dl", { class: "keys-all" });
    for (const [keys, what] of KEYS) list.append(make("dt", { text: keys }), make("dd", { text: what }));
    askReader("Keys", null, { body: [list] });
  }

  // Keys

  const commands = {
    j: () => moveTo(state.at + 1), ArrowDown: () => moveTo(state.at + 1),
    k: () => moveTo(state.at - 1), ArrowUp: () => moveTo(state.at - 1),
    PageDown: () => moveTo(state.at + visible() - 1), PageUp: () => moveTo(state.at - visible() + 1),
    Home: () => moveTo(0), End: () => moveTo(state.total - 1),
    a: () => judge("accept"), r: () => judge("reject"), c: clearMine,
    A: () => decideView("accept"), R: () => decideView("reject"),
    e: () => editField("token"), t: () => editField("kind"), f: () => editField("family"), l: () => editField("label"),
    x: () => { toggleSelected(state.at); moveTo(state.at + 1); },
    u: () => act("undo", "Taken back:"), y: () => act("redo", "Done again:"), U: () => act("redo", "Done again:"),
    "/": () => { parts.search.focus(); parts.search.select(); },
    n: addUnit, g: () => parts.colour.focus(), "?": showHelp,
    Escape: () => { if (state.selected.size) clearSelection(); else if (state.query.only) clearLasso(); tell(""); tellLost(null); },
  };

  function judge(verdict) {
    const row = currentRow();
    if (!row) return;
    decide([row.row], { verdict });
    moveTo(state.at + 1);
  }

  function clearMine() {
    const row = currentRow();
    const said = Object.keys(row?.mine ?? {});
    if (said.length) decide([row.row], Object.fromEntries(said.map((name) => [name, null])));
    if (row) moveTo(state.at + 1);
  }

  function onKey(event) {
    event.stopPropagation();
    if (!parts.curtain.hidden) return;
    const inField = event.target.matches("input, select, textarea");
    if (event.key === "Escape" && event.target !== parts.grid) { event.preventDefault(); giveUpFields(); leaveFields(); return; }
    if (inField) { if (event.target === parts.search) searchKey(event); return; }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches("button") && (event.key === "Enter" || event.key === " ")) return;
    const command = commands[event.key];
    if (!command) return;
    event.preventDefault();
    if (state.found) state.found.then(command); else command();
  }

  function searchKey(event) {
    if (event.key !== "Enter" && event.key !== "ArrowDown") return;
    event.preventDefault();
    searchNow();
    focusGrid();
  }

  function searchNow() {
    clearTimeout(state.typing);
    if (state.query.search !== parts.search.value) filter("search", parts.search.value);
  }

  function onClick(event) {
    const slot = event.target.closest(".row");
    if (slot && parts.body.contains(slot)) {
      const place = Number(slot.dataset.place);
      if (event.ctrlKey || event.metaKey) toggleSelected(place);
      else if (event.shiftKey) selectTo(place);
      moveTo(place);
    }
    if (!event.target.closest("input, select, textarea, button, .detail, .curtain")) focusGrid();
  }

  function selectTo(place) {
    const [from, to] = [Math.min(state.at, place), Math.max(state.at, place)];
    for (let i = from; i <= to; i++) { const row = rowAt(i); if (row) state.selected.add(row.row); }
  }

  function listen() {
    parts.root.addEventListener("keydown", onKey);
    for (const name of ["keyup", "keypress", "paste", "copy", "cut"]) parts.root.addEventListener(name, (event) => event.stopPropagation());
    parts.root.addEventListener("click", onClick);
    parts.scroll.addEventListener("scroll", readScroll, { passive: true });
    parts.scroll.addEventListener("wheel", wheel, { passive: false });
    parts.search.addEventListener("input", () => { clearTimeout(state.typing); state.typing = setTimeout(searchNow, 120); });
    for (const name of ["kind", "verdict", "decision", "family"]) parts[name].addEventListener("change", () => { filter(name, parts[name].value); });
    parts.field.addEventListener("change", () => { showField(parts.field.value); focusGrid(); });
    for (const cell of parts.head.children) cell.firstChild.addEventListener("click", () => { if (cell.dataset.sort) sortBy(cell.dataset.sort); });
    parts.buttons.accept.addEventListener("click", () => { judge("accept"); focusGrid(); });
    parts.buttons.reject.addEventListener("click", () => { judge("reject"); focusGrid(); });
    parts.buttons.undo.addEventListener("click", () => { commands.u(); focusGrid(); });
    parts.buttons.redo.addEventListener("click", () => { commands.y(); focusGrid(); });
    parts.buttons.add.addEventListener("click", addUnit);
    parts.buttons.help.addEventListener("click", showHelp);
  }

  async function start() {
    try {
      const about = await ask({ do: "open" });
      state.about = about;
      fillFilters(parts, about);
      state.amounts = new Set(about.fields.filter(([, amount]) => amount).map(([name]) => name));
      showField(state.field);
      takeState(about);
      await find({ keep: false });
      // Its keys are the table's at once, unless someone is writing elsewhere by now
      if (!document.activeElement?.closest("input, textarea, select, .cm-editor")) focusGrid();
      map.draw(await ask({ do: "points" }));
      map.light(currentRow()?.row ?? null);
    } catch (error) { fail(error); }
  }

  listen();
  const watcher = new ResizeObserver(() => { keepInSight(); map.resize(); });
  watcher.observe(parts.scroll);
  watcher.observe(parts.canvas);
  const clock = setInterval(refresh, REFRESH);
  window.addEventListener("focus", refresh);
  start();
  return () => {
    state.closed = true;
    clearInterval(clock);
    window.removeEventListener("focus", refresh);
    watcher.disconnect();
    map.close();
    channel.close();
  };
}

// The frame

let frames = 0;

function buildFrame() {
  const parts = { id: `miner-review-${++frames}`, buttons: {} };
  parts.search = make("input", { type: "search", class: "search", placeholder: "Search units  /", "aria-label": "Search units", spellcheck: "false", autocomplete: "off" });
  parts.kind = make("select", { "aria-label": "Kind" });
  parts.verdict = make("select", { "aria-label": "Verdict of the run" });
  parts.decision = make("select", { "aria-label": "My decision" });
  parts.family = make("select", { "aria-label": "Family" });
  parts.field = make("select", { "aria-label": "Field that the table shows", title: "Field that the table shows" });
  for (const [name, text, key, label] of [["accept", "✓ Accept", "a"], ["reject", "✗ Reject", "r"], ["undo", "↶", "u", "Undo"], ["redo", "↷", "y", "Redo"], ["add", "+", "n", "Add a unit that was not proposed"], ["help", "?", "?", "Help: all keys"]])
    parts.buttons[name] = make("button", { type: "button", text, title: `${label ?? text} (${key})`, class: name, "aria-label": label ?? null });
  parts.chips = make("span", { class: "chips" });
  parts.shown = make("span", { class: "shown" });
  parts.said = make("span", { class: "said" });
  parts.saved = make("span", { class: "saved" });
  parts.who = make("span", { class: "who" });
  parts.message = make("div", { class: "message", role: "alert", hidden: true });
  parts.lost = make("div", { class: "lost bad", role: "alert", hidden: true });
  parts.notes = make("div", { class: "notes", hidden: true });
  const bar = make("div", { class: "bar", role: "toolbar", "aria-label": "Search, filter and decide" },
    parts.search, parts.kind, parts.verdict, parts.decision, parts.family, parts.field, make("span", { class: "gap" }), ...Object.values(parts.buttons));
  const status = make("div", { class: "status", role: "status", "aria-live": "polite" },
    parts.shown, parts.chips, make("span", { class: "gap" }), parts.said, parts.saved, parts.who);
  const left = buildTable(parts);
  const right = make("div", { class: "right" }, buildMap(parts), buildDetail(parts));
  parts.curtain = make("div", { class: "curtain", hidden: true });
  const keys = make("div", { class: "keys", "aria-hidden": "true" });
  for (const [key, what] of [["j k", "move"], ["a", "accept"], ["r", "reject"], ["c", "clear"], ["e", "rename"], ["t", "kind"], ["f", "family"], ["l", "label"], ["x", "select"], ["⇧A ⇧R", "bulk"], ["u y", "undo, redo"], ["/", "search"], ["n", "add"], ["?", "all keys"]])
    keys.append(make("span", {}, make("kbd", { text: key }), ` ${what}`));
  parts.root = make("div", { class: "miner-review", role: "region", "aria-label": "Review of what was mined", "data-lm-suppress-shortcuts": "true" },
    bar, status, parts.lost, parts.message, parts.notes, make("div", { class: "main" }, left, right), keys, parts.curtain);
  return parts;
}

function buildTable(parts) {
  parts.head = make("div", { class: "head", role: "row", "aria-rowindex": 1 });
  COLUMNS.forEach(([name, text], i) => {
    const sorts = name !== "why";
    const inner = sorts ? make("button", { type: "button", text, title: `Sort by ${text.toLowerCase()}` }) : make("span", { text });
    parts.head.append(make("div", { role: "columnheader", class: `cell ${name}`, "aria-colindex": i + 1, "aria-sort": sorts ? "none" : null, "data-sort": sorts ? name : null }, inner));
  });
  parts.body = make("div", { class: "body", role: "rowgroup" });
  parts.empty = make("div", { class: "empty", text: "Nothing matches. Clear a filter, or the search.", hidden: true });
  parts.window = make("div", { class: "window" }, parts.head, make("div", { class: "clip" }, parts.body), parts.empty);
  parts.pad = make("div", { class: "pad" }, parts.window);
  parts.scroll = make("div", { class: "scroll", tabindex: -1 }, parts.pad);
  parts.grid = make("div", { class: "grid", role: "grid", tabindex: 0, "aria-label": "Proposals: j and k move, a accepts, r rejects, question mark lists all keys", "aria-colcount": COLUMNS.length, "aria-multiselectable": "true" }, parts.scroll);
  return parts.grid;
}

function buildMap(parts) {
  parts.canvas = make("canvas", { class: "points", role: "img", "aria-label": "Map of the units: what is near is alike. The table does all that the map does." });
  parts.over = make("canvas", { class: "over", "aria-hidden": "true" });
  parts.tip = make("div", { class: "tip", hidden: true });
  parts.legend = make("div", { class: "legend", "aria-label": "Colours of the map" });
  parts.colour = make("select", { "aria-label": "Colour of the map" });
  for (const [value, text] of [["verdict", "Verdict, decision"], ["kind", "Kind"], ["family", "Family"]]) parts.colour.append(make("option", { value, text }));
  parts.tools = {};
  for (const [name, text, title] of [["drag", "Lasso", "Dragging draws a lasso; click to pan instead"], ["closer", "+", "Closer"], ["farther", "−", "Farther"], ["fit", "Fit", "Show all"]])
    parts.tools[name] = make("button", { type: "button", text, title, "aria-label": title });
  return make("div", { class: "map" },
    make("div", { class: "tools" }, make("span", { class: "title", text: "Map" }), parts.colour, make("span", { class: "gap" }), ...Object.values(parts.tools)),
    make("div", { class: "canvas" }, parts.canvas, parts.over, parts.tip), parts.legend);
}

function buildDetail(parts) {
  parts.detail = make("div", { class: "detail", role: "complementary", "aria-label": "Why: the reasons of the current row", tabindex: 0 });
  return parts.detail;
}

function fillFilters(parts, about) {
  const fill = (select, all, options) => select.replaceChildren(make("option", { value: "", text: all }), ...options.map(([value, text]) => make("option", { value, text })));
  fill(parts.kind, "all kinds", about.present.map((kind) => [kind, kind]));
  fill(parts.verdict, "all verdicts", [["refused", "all refused"], ...about.verdicts.map((verdict) => [verdict, verdict])].sort((a, b) => (b[0] === "kept") - (a[0] === "kept")));
  fill(parts.decision, "any decision", [["undecided", "not decided"], ["accept", "accepted"], ["reject", "rejected"], ["changed", "changed"], ["conflict", "in conflict"], ["falls", "falls with another"]]);
  fill(parts.family, "all families", about.heads.map(([head, count]) => [head, `${head} (${count})`]));
  parts.field.replaceChildren(...about.fields.map(([name]) => make("option", { value: name, text: name })));
  parts.field.hidden = !about.fields.length;
  parts.who.textContent = `${about.reviewer} on ${about.run}`;
}

// The reasons of one row

const tellSaid = (said) => Object.entries(said).map(([name, value]) => (name === "verdict" ? value : `${name === "token" ? "form" : name} ${value}`)).join(", ");

function makeTitle(row, tools) {
  const title = make("div", { class: "title-row", "data-row": row.row },
    make("bdi", { class: "unit", text: row.shown }), make("span", { class: "tag", text: row.kind }), make("span", { class: `tag ${row.verdict === "kept" ? "kept" : "refused"}`, text: row.verdict }));
  if (row.head) title.append(make("button", { type: "button", class: "link", title: "Show this family", onclick: () => tools.family(row.family) }, "family ", unitText(row.head)));
  return title;
}

function describe(detail, tools) {
  const why = detail.explained;
  return [
    ...describeOthers(detail),
    ...section("In the corpus", why.contexts.slice(0, 6).map(makeContext), "contexts"),
    ...section("Evidence", why.evidence.map(makeEvidence), "evidence"),
    ...section("Known of it", Object.entries(detail.known).map(([name, text]) => make("li", {}, make("b", { text: `${name} ` }), unitText(text))), "known"),
    ...section("What would change it", why.changes.map((text) => make("li", { text })), "changes"),
    ...section("How it is built", why.merges.map(makeMerge), "merges"),
    ...section("Built on it", listTokens(why.built_on, tools), "tokens"),
    ...section("Whose its places are", why.owners.map((owner) => makeLink(owner, tools, owner.share === undefined ? null : `${Math.round(100 * owner.share)} %`)), "tokens"),
    ...section("Contains", why.contains.map((entry) => makeLink(entry, tools)), "tokens"),
    ...section("Contained in", why.contained_in.map((entry) => makeLink(entry, tools)), "tokens"),
    ...section("Nearest in meaning", why.neighbors.map((entry) => makeLink(entry, tools, entry.cosine.toFixed(2))), "tokens"),
  ];
}

function section(title, items, name) {
  return items.length ? [make("section", { class: name }, make("h4", { text: title }), make("ul", {}, ...items))] : [];
}

function describeOthers(detail) {
  const lines = Object.entries(detail.others).map(([name, said]) => make("li", {}, make("b", { text: name }), `: ${tellSaid(said)}`));
  for (const conflict of detail.conflicts) lines.push(make("li", { class: "conflict", text: `Reviewers differ on the ${conflict.field === "token" ? "form" : conflict.field}: ${Object.entries(conflict.said).map(([name, value]) => `${name} says ${value}`).join(", ")}; ${conflict.holds ? `${conflict.holds} holds` : "the run's own holds"}.` }));
  if (detail.falls) lines.unshift(make("li", { class: "conflict", text: "It falls: it is built on a rejected unit. Accept it to keep it." }));
  return section("What others said", lines, "others");
}

function makeContext(context) {
  return make("li", {}, make("bdi", {}, context.before, make("mark", { text: context.unit }), context.after));
}

function makeEvidence(entry) {
  const share = entry.better_than;
  const item = make("li", {}, make("span", { text: entry.text }));
  if (share != null) {
    const bar = make("i", { class: "meter", title: `better than ${Math.round(100 * share)} % of the proposals` }, make("b"));
    bar.firstChild.style.width = `${Math.round(100 * Math.max(0, Math.min(1, share)))}%`;
    item.prepend(bar);
  }
  return item;
}

function makeMerge([left, right, result]) {
  return make("li", {}, unitText(left), " + ", unitText(right), " → ", unitText(result));
}

function makeLink(entry, tools, note = null) {
  const text = entry.token ?? String(entry);
  const go = entry.row == null ? unitText(text) : make("button", { type: "button", class: "link", onclick: () => tools.goToRow(entry.row) }, unitText(text));
  const extra = [note, entry.verdict].filter(Boolean).join(" · ");
  return make("li", {}, go, extra ? make("span", { class: "small", text: ` ${extra}` }) : "");
}

const listTokens = (entries, tools) => (entries ?? []).slice(0, 30).map((entry) => makeLink(entry, tools));

function makeFields(row, tools) {
  const { mine } = row;
  const inputs = {
    token: make("input", { type: "text", value: mine.token ?? "", placeholder: row.shown }),
    kind: make("select", {}, ...["", ...tools.state.about.kinds].map((kind) => make("option", { value: kind, text: kind || `as it is (${row.kind})`, selected: kind === (mine.kind ?? "") }))),
    family: make("input", { type: "text", value: mine.family ?? "", placeholder: row.head || "the head of a family" }),
    label: make("input", { type: "text", value: mine.label ?? "", placeholder: "what people call it" }),
  };
  let left = false; // Enter and leaving save the same change once
  const save = () => { if (!left) { left = true; tools.decideFields(row.row, readFields(inputs, mine)); } };
  const form = make("div", { class: "fields", role: "group", "aria-label": "Change this unit" });
  for (const [name, text] of [["token", "Form"], ["kind", "Kind"], ["family", "Family"], ["label", "Label"]]) {
    inputs[name].dataset.field = name;
    inputs[name].addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); save(); } });
    form.append(make("label", {}, make("span", { text }), inputs[name]));
  }
  form.append(make("button", { type: "button", text: "Save", class: "save", title: "Enter", onclick: save }));
  form.addEventListener("giveup", () => { left = true; });
  form.addEventListener("focusout", (event) => {
    if (!form.contains(event.relatedTarget) && Object.keys(readFields(inputs, mine)).length) save();
  });
  return form;
}

function readFields(inputs, mine) {
  const changes = {};
  for (const [name, input] of Object.entries(inputs)) {
    const value = input.value.trim() || null;
    if (value !== (mine[name] ?? null)) changes[name] = value;
  }
  return changes;
}

// The map

const SAID = ["not decided", "accepted", "rejected", "changed", "falls"];

function makeMap(parts, { pick, lasso }) {
  const view = { x: 0, y: 0, zoom: 1, pan: false, colour: "verdict", hover: -1, current: -1, chosen: null, path: null, width: 0, height: 0 };
  let points = null;
  let asked = 0;
  const themes = new MutationObserver(() => paintSoon());

  function draw(answer) {
    if (!answer.tokens.length) { parts.legend.textContent = "This run has no map."; return; }
    const [rows, places, sizes, kinds, verdicts, families, said] = answer.buffers.map(readBuffer);
    points = { count: answer.tokens.length, tokens: answer.tokens, names: answer.names, heads: answer.families,
      rows: new Uint32Array(rows), places: new Float32Array(places), sizes: new Float32Array(sizes),
      kinds: new Uint8Array(kinds), spread: 1, verdicts: new Uint8Array(verdicts), families: new Uint8Array(families), said: new Uint8Array(said) };
    frame();
    points.index = new Map([...points.rows].map((row, i) => [row, i]));
    resize();
  }
  const readBuffer = (buffer) => (buffer.buffer ? buffer.buffer.slice(buffer.byteOffset, buffer.byteOffset + buffer.byteLength) : buffer);

  function frame() {
    const { places } = points;
    const sides = [0, 1].map((side) => places.filter((_, i) => i % 2 === side).sort());
    points.middle = sides.map((side) => (side[0] + side.at(-1)) / 2);
    points.reach = sides.map((side) => Math.max((side.at(-1) - side[0]) / 2, 0.05));
    fit();
  }
  function fit() { [view.x, view.y] = points.middle; view.zoom = 1; paintSoon(); }

  // Places on the screen

  const width = () => view.width;
  const height = () => view.height;
  const scale = () => Math.min((width() / 2 - 8) / points.reach[0], (height() / 2 - 8) / points.reach[1]) * view.zoom;
  const toX = (i) => width() / 2 + (points.places[2 * i] - view.x) * scale();
  const toY = (i) => height() / 2 - (points.places[2 * i + 1] - view.y) * scale();
  const size = (i) => Math.min(0.6 + points.sizes[i] * 0.36, 5) * points.spread * Math.min(Math.sqrt(view.zoom), 3) * (points.verdicts[i] === keptCode() ? 1 : 0.8);
  const keptCode = () => points.names.verdict.indexOf("kept");

  function resize() {
    const ratio = window.devicePixelRatio || 1;
    [view.width, view.height] = [parts.canvas.clientWidth, parts.canvas.clientHeight];
    for (const canvas of [parts.canvas, parts.over]) {
      canvas.width = Math.round(width() * ratio);
      canvas.height = Math.round(height() * ratio);
      canvas.getContext("2d").setTransform(ratio, 0, 0, ratio, 0, 0);
    }
    paintSoon();
  }

  // Colours

  function isDark() {
    const colour = getComputedStyle(parts.root).backgroundColor.match(/[\d.]+/g)?.map(Number) ?? [255, 255, 255];
    return colour[0] + colour[1] + colour[2] < 384;
  }

  function colourOf() {
    const palette = isDark() ? DARK : LIGHT;
    const grey = isDark() ? "#7d7d7d" : "#8c8c8c";
    if (view.colour === "kind") return { of: (i) => points.kinds[i], names: points.names.kind, colours: palette };
    if (view.colour === "family") return { of: (i) => Math.min(points.families[i], points.heads.length), names: [...points.heads, "other or none"], colours: [...palette.slice(0, points.heads.length), grey] };
    const names = ["kept", "refused", ...SAID.slice(1)];
    const kept = keptCode();
    return { of: (i) => (points.said[i] ? points.said[i] + 1 : points.verdicts[i] === kept ? 0 : 1), names, colours: [palette[0], grey, palette[2], palette[1], palette[4], palette[3]], hollow: 1 };
  }

  let due = false;
  function paintSoon() {
    if (due) return;
    due = true;
    requestAnimationFrame(() => { due = false; paint(); });
  }

  // A decision may wait: 20,000 points take longer than the next key
  let later = 0;
  function paintLater() { clearTimeout(later); later = setTimeout(paintSoon, 250); }

  function paint() {
    if (!points || !width()) return;
    const context = parts.canvas.getContext("2d");
    const look = colourOf();
    points.spread = Math.max(0.5, Math.min(Math.sqrt((width() * height()) / points.count) / 4, 1.3));
    context.clearRect(0, 0, width(), height());
    const groups = groupPoints(look);
    const order = look.names.map((_, code) => code).sort((a, b) => (groups[b]?.length ?? 0) - (groups[a]?.length ?? 0));
    for (const code of order) if (groups[code]) paintGroup(context, groups[code], look.colours[code], code === look.hollow);
    showLegend(look, groups);
    paintOver();
  }

  function groupPoints(look) {
    const groups = [];
    for (let i = 0; i < points.count; i++) (groups[look.of(i)] ??= []).push(i);
    return groups;
  }

  function paintGroup(context, group, colour, hollow) {
    context.fillStyle = context.strokeStyle = colour;
    context.lineWidth = 0.8;
    context.globalAlpha = hollow ? 0.55 : 0.85;
    context.beginPath();
    for (const i of group) {
      const x = toX(i), y = toY(i), r = size(i);
      if (x < -9 || y < -9 || x > width() + 9 || y > height() + 9) continue;
      if (view.chosen && !view.chosen.has(points.rows[i])) { context.rect(x - 0.5, y - 0.5, 1, 1); continue; }
      context.moveTo(x + r, y);
      context.arc(x, y, r, 0, 2 * Math.PI);
    }
    if (hollow) context.stroke(); else context.fill();
    context.globalAlpha = 1;
  }

  function showLegend(look, groups) {
    const key = JSON.stringify([view.colour, look.names, look.colours, groups.map((group) => group?.length ?? 0)]);
    if (parts.legend.dataset.key === key) return;
    parts.legend.dataset.key = key;
    parts.legend.replaceChildren(...look.names.flatMap((name, code) => {
      if (!groups[code]?.length) return [];
      const dot = make("i", { class: code === look.hollow ? "hollow" : "" });
      dot.style.setProperty("--dot", look.colours[code]);
      return [make("span", {}, dot, unitText(name), make("span", { class: "small", text: ` ${number(groups[code].length)}` }))];
    }));
  }

  function paintOver() {
    const context = parts.over.getContext("2d");
    context.clearRect(0, 0, width(), height());
    const ink = getComputedStyle(parts.root).color;
    const ring = (i, extra, line) => {
      context.beginPath(); context.lineWidth = line; context.strokeStyle = ink;
      context.arc(toX(i), toY(i), size(i) + extra, 0, 2 * Math.PI); context.stroke();
    };
    if (view.current >= 0) { ring(view.current, 3.5, 2.5); ring(view.current, 9, 1); }
    if (view.hover >= 0) ring(view.hover, 2, 1.5);
    if (!view.path) return;
    context.beginPath(); context.lineWidth = 1.5; context.strokeStyle = ink; context.setLineDash([5, 3]);
    view.path.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
    context.closePath(); context.stroke(); context.setLineDash([]);
  }

  // The mouse

  function nearest(x, y) {
    let best = -1, least = 100;
    for (let i = 0; i < points.count; i++) {
      const over = toX(i) - x, up = toY(i) - y, far = over * over + up * up;
      if (far < least) { least = far; best = i; }
    }
    return best;
  }

  function showTip(i, x, y) {
    view.hover = i;
    parts.tip.hidden = i < 0;
    if (i < 0) return;
    const verdict = points.names.verdict[points.verdicts[i]];
    parts.tip.replaceChildren(unitText(points.tokens[i]), make("span", { class: "small", text: ` ${points.names.kind[points.kinds[i]]} · ${verdict}${points.said[i] ? ` · ${SAID[points.said[i]]}` : ""}` }));
    parts.tip.style.left = `${Math.min(x + 12, Math.max(width() - parts.tip.offsetWidth - 4, 0))}px`;
    parts.tip.style.top = `${y + 16 + parts.tip.offsetHeight > height() ? y - parts.tip.offsetHeight - 8 : y + 16}px`;
  }

  const place = (event) => { const box = parts.over.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
  let drag = null;

  function press(event) {
    if (!points || event.button > 1) return;
    const [x, y] = place(event);
    drag = { x, y, pan: view.pan !== event.shiftKey || event.button === 1, moved: false, vx: view.x, vy: view.y };
    parts.over.setPointerCapture(event.pointerId);
  }

  function move(event) {
    if (!points) return;
    const [x, y] = place(event);
    if (!drag) { showTip(nearest(x, y), x, y); paintOver(); return; }
    if (!drag.moved && Math.hypot(x - drag.x, y - drag.y) < 4) return;
    if (!drag.moved) { drag.moved = true; showTip(-1); if (!drag.pan) view.path = [[drag.x, drag.y]]; }
    if (drag.pan) { view.x = drag.vx - (x - drag.x) / scale(); view.y = drag.vy + (y - drag.y) / scale(); paintSoon(); }
    else { view.path.push([x, y]); paintOver(); }
  }

  function release(event) {
    if (!drag) return;
    const { moved, pan } = drag;
    drag = null;
    if (!moved) { const i = nearest(...place(event)); if (i >= 0) pick(points.rows[i]); return; }
    if (pan) return;
    const rows = listInside(view.path);
    view.path = null;
    if (rows.length) { select(rows); lasso(rows); } else paintOver();
  }

  function listInside(path) {
    const found = [];
    for (let i = 0; i < points.count; i++) if (isInside(path, toX(i), toY(i))) found.push(points.rows[i]);
    return found;
  }

  function isInside(path, x, y) {
    let inside = false;
    for (let i = 0, j = path.length - 1; i < path.length; j = i++) {
      const [ax, ay] = path[i], [bx, by] = path[j];
      if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) inside = !inside;
    }
    return inside;
  }

  function zoom(by, x = width() / 2, y = height() / 2) {
    const before = scale();
    view.zoom = Math.max(0.6, Math.min(view.zoom * by, 60));
    const after = scale();
    view.x += (x - width() / 2) * (1 / before - 1 / after);
    view.y -= (y - height() / 2) * (1 / before - 1 / after);
    paintSoon();
  }

  function listen() {
    parts.over.addEventListener("pointerdown", press);
    parts.over.addEventListener("pointermove", move);
    parts.over.addEventListener("pointerup", release);
    parts.over.addEventListener("pointercancel", () => { drag = null; view.path = null; paintOver(); });
    parts.over.addEventListener("pointerleave", () => { showTip(-1); if (points) paintOver(); });
    parts.over.addEventListener("wheel", (event) => { event.preventDefault(); if (points) zoom(Math.exp(-event.deltaY * 0.0015), ...place(event)); }, { passive: false });
    parts.colour.addEventListener("change", () => { view.colour = parts.colour.value; paintSoon(); });
    parts.tools.closer.addEventListener("click", () => points && zoom(1.5));
    parts.tools.farther.addEventListener("click", () => points && zoom(1 / 1.5));
    parts.tools.fit.addEventListener("click", () => { if (points) fit(); });
    parts.tools.drag.addEventListener("click", () => { view.pan = !view.pan; parts.tools.drag.textContent = view.pan ? "Pan" : "Lasso"; });
    themes.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "data-jp-theme-name"] });
  }

  // What the table tells the map

  function light(row) {
    if (!points) return;
    view.current = row == null ? -1 : points.index.get(row) ?? -1;
    paintOver();
  }
  function select(rows) { view.chosen = rows ? new Set(rows) : null; paintSoon(); }
  function mark(rows, verdict) {
    if (!points) return;
    for (const row of rows) if (points.index.has(row)) points.said[points.index.get(row)] = { accept: 1, reject: 2 }[verdict] ?? 0;
    paintLater();
  }
  function take(rows) {
    if (!points) return;
    for (const row of rows) {
      const i = points.index.get(row.row);
      if (i !== undefined) points.said[i] = { accept: 1, reject: 2 }[row.mine.verdict] ?? (Object.keys(row.mine).length ? 3 : row.falls ? 4 : 0);
    }
    if (rows.length) paintLater();
  }
  async function refresh(ask) {
    if (!points) return;
    const turn = ++asked;
    const answer = await ask({ do: "states" });
    if (turn === asked) { points.said = new Uint8Array(readBuffer(answer.buffers[0])); paintSoon(); }
  }

  listen();
  return { draw, resize, light, select, mark, take, refresh, close: () => themes.disconnect() };
}

export default { render };
