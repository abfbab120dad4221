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
  document.documentElement.classList.add("scripted");
  document.addEventListener("click", function (e) {
    var drawn = e.target.closest && e.target.closest("[data-why]");
    if (!drawn) { return; }
    var box = drawn.getBoundingClientRect(), from = +drawn.dataset.from, to = +drawn.dataset.to;
    var at = from + (e.clientX - box.left) / box.width * (to - from);
    location.href = drawn.dataset.why + "?at=" + Math.floor(at / 60000) * 60000;
  });
  document.addEventListener("visibilitychange", function () { if (waiting) { renew(); } });
  document.addEventListener("focusout", function () { if (waiting) { setTimeout(renew, 200); } });
  // A code is read from a photo on the phone itself; the photo goes nowhere. What is printed on a
  // device seldom is our name for it, so a probe that already sends is looked for in the text.
  if (window.BarcodeDetector) { document.documentElement.classList.add("can-scan"); }
  document.addEventListener("change", function (e) {
    var into = e.target.getAttribute("data-into"), file = e.target.files && e.target.files[0];
    if (!into || !file || !window.BarcodeDetector) { return; }
    var field = e.target.form.elements[into];
    createImageBitmap(file)
      .then(function (picture) { return new window.BarcodeDetector().detect(picture); })
      .then(function (codes) {
        if (!codes.length) { return; }
        var text = codes[0].rawValue.trim();
        var known = [].map.call(field.list ? field.list.options : [], function (o) { return o.value; });
        var bare = text.toLowerCase().replace(/[^0-9a-z]/g, "");
        var found = known.filter(function (id) {
          var name = id.slice(id.indexOf(":") + 1).toLowerCase().replace(/[^0-9a-z]/g, "");
          return name && bare.indexOf(name) >= 0;
        });
        field.value = found.length === 1 ? found[0] : text;
        field.focus();
      });
  });
  if (!window.EventSource) { return; }
  var stream = new EventSource("/events?seen=" + document.body.dataset.beat);
  var once = false;
  stream.addEventListener("changed", renew);
  stream.onopen = function () { if (once) { renew(); } once = true; };
  stream.onerror = function () { stale.hidden = false; };
})();
