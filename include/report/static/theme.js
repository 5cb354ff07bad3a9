// Inside Airflow's frame the page takes the theme that was chosen in Airflow; alone it follows the system.
"use strict";

(() => {
  if (window.parent === window) return;
  let airflow;
  try {
    airflow = window.parent.document.documentElement;
  } catch {
    return; // another site's frame: none of our business
  }
  const take = () => {
    const chosen = ["dark", "light"].find((theme) => airflow.classList.contains(theme));
    if (!chosen || document.documentElement.dataset.theme === chosen) return;
    document.documentElement.dataset.theme = chosen;
    document.dispatchEvent(new Event("theme"));
  };
  take();
  new MutationObserver(take).observe(airflow, { attributeFilter: ["class"] });
})();
