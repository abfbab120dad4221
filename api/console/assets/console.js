// Fetches the page anew when the server says that something changed. Without this script, or
// without a stream, the page is as it was served, and says so.
(function () {
  "use strict";
  var main = document.getElementById("main");
  var stale = document.getElementById("stale");
  var waiting = false;
  function busy() {
    var at = document.activeElement;
    return document.hidden || (at && /^(INPUT|SELECT|TEXTAREA)$/.test(at.tagName)) || main.querySelector("[data-touched]");
  }
  document.addEventListener("input", function (e) { e.target.setAttribute("data-touched", ""); });
  function open() { return [].map.call(main.querySelectorAll("details"), function (d) { return d.open; }); }
  function renew() {
    if (busy()) { waiting = true; return; }
    waiting = false;
    fetch(location.href, { credentials: "same-origin", headers: { "X-Live": "1" } })
      .then(function (r) { if (!r.ok || r.redirected) { throw new Error("not the page"); } return r.text(); })
      .then(function (text) {
        if (busy()) { waiting = true; return; }
        var fresh = new DOMParser().parseFromString(text, "text/html");
        var was = open();
        main.replaceChildren.apply(main, [].slice.call(document.importNode(fresh.getElementById("main"), true).childNodes));
        [].forEach.call(main.querySelectorAll("details"), function (d, i) { if (was[i]) { d.open = true; } });
        document.querySelector("footer").firstChild.replaceWith(fresh.querySelector("footer").firstChild.textContent);
        stale.hidden = true;
      })
      .catch(function () { stale.hidden = false; });
  }
  document.addEventListener("visibilitychange", function () { if (waiting) { renew(); } });
  document.addEventListener("focusout", function () { if (waiting) { setTimeout(renew, 200); } });
  if (!window.EventSource) { return; }
  var stream = new EventSource("/events?seen=" + document.body.dataset.beat);
  var once = false;
  stream.addEventListener("changed", renew);
  stream.onopen = function () { if (once) { renew(); } once = true; };
  stream.onerror = function () { stale.hidden = false; };
})();
