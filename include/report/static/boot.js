// The stored report carries Plotly gzipped. It is unpacked here and runs only if it has the digest that the policy names.
"use strict";

(async () => {
  if (!window.DecompressionStream) {
    penumbraCharts.missing("This browser cannot unpack the charts; the tables below them show the same numbers.");
    return;
  }
  const packed = document.getElementById("packed-plotly");
  const bytes = Uint8Array.from(atob(packed.textContent), (character) => character.charCodeAt(0));
  packed.remove();
  const script = document.createElement("script");
  script.textContent = await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  document.head.append(script);
  if (window.Plotly) penumbraCharts.draw();
  else penumbraCharts.missing("The charts were changed after the report was written and do not run; the tables show the numbers.");
})();
