// Follows a rollout while it runs: asks what was written since the last look, and stops when the rollout is over.
"use strict";

// Inside Airflow's frame, which may not move its window, a link to Airflow's own pages asks Airflow's router instead.
(() => {
  if (window.parent === window) return;
  for (const link of document.querySelectorAll("a[target=_top]")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      window.parent.history.pushState({}, "", link.href);
      window.parent.dispatchEvent(new PopStateEvent("popstate", { state: {} }));
    });
  }
})();

(() => {
  const status = document.getElementById("live");
  if (!status) return;
  const every = 4000; // milliseconds
  let cursor = status.dataset.cursor;
  let failures = 0;

  function say(text, lost) {
    if (status.textContent !== text) status.textContent = text;
    status.classList.toggle("lost", lost);
  }

  function show(id, html) {
    const section = document.getElementById(`section-${id}`);
    const wanted = document.createElement("template");
    wanted.innerHTML = html; // rendered and escaped by the server, as the page itself was
    if (!section || section.shown === html) return;
    section.shown = html;
    const open = new Set([...section.querySelectorAll("details[open]")].map((details) => details.id));
    const focus = section.contains(document.activeElement) ? document.activeElement.closest("details")?.id : null;
    for (const details of wanted.content.querySelectorAll("details")) details.open = open.has(details.id);
    section.replaceChildren(wanted.content);
    if (focus) document.getElementById(focus)?.querySelector("summary").focus();
  }

  async function look() {
    if (document.hidden) return again(every);
    let answer;
    try {
      answer = await fetch(`${status.dataset.ticks}?after=${encodeURIComponent(cursor)}`, { cache: "no-store" });
    } catch {
      return lost("no connection; trying again");
    }
    if (answer.status === 401 || answer.status === 403) return say("logged out; log in to Airflow and reload this page", true);
    if (answer.status === 204) return settled();
    if (!answer.ok) return lost("the rollout could not be read; trying again");
    const more = await answer.json();
    cursor = more.cursor;
    penumbraCharts.extend(more);
    for (const [id, html] of Object.entries(more.sections)) show(id, html);
    if (more.over) {
      document.title = more.title;
      say("the rollout is over; ", false);
      const whole = document.createElement("a");
      whole.href = window.location.href;
      whole.textContent = "open its final page";
      return status.append(whole);
    }
    return settled();
  }

  function settled() {
    failures = 0;
    say("following the rollout", false);
    again(every);
  }

  function lost(sentence) {
    failures += 1;
    say(sentence, true);
    again(every * Math.min(8, 2 ** failures));
  }

  const again = (delay) => window.setTimeout(look, delay);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) failures = 0; });
  again(every);
})();
