(() => {
  "use strict";
  const data = JSON.parse(document.getElementById("data").textContent);
  const GUTTER = 104;
  const RANGE = [Math.min(data.focus, data.end) / 1000, Math.max(data.end / 1000, 0.001)];
  const STATES = { outgoing: "--violet", incoming: "--violet", accepting: "--orange", connecting: "--orange", live: "--green", ended: "--grey" };
  const SCREEN = { smooth: "--green", freeze: "--orange", pause: "--red", off: "--grey" };
  const CURVES = ["--blue", "--teal", "--violet", "--green", "--orange", "--pink"];
  const charts = [];
  const ink = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const seconds = list => list.map(ms => ms / 1000);
  const fixed = (value, digits, unit) => value == null ? "–" : value.toFixed(digits) + unit;

  const axis = extra => Object.assign({ stroke: ink("--soft"), font: "11px system-ui, sans-serif", grid: { stroke: ink("--line"), width: 1 }, ticks: { stroke: ink("--line"), width: 1, size: 4 } }, extra);

  // One x axis for all: dragging in one chart zooms every chart of the group.
  let zooming = false;
  const zoomAll = plot => {
    if (zooming) return;
    zooming = true;
    const { min, max } = plot.scales.x;
    for (const other of charts) if (other !== plot && other.timed && (other.scales.x.min !== min || other.scales.x.max !== max)) other.setScale("x", { min, max });
    zooming = false;
  };

  const mount = (element, options, series, timed) => {
    const width = () => Math.max(320, element.clientWidth);
    const plot = new uPlot(Object.assign({ width: width(), padding: [8, 12, 6, 0] }, options), series, element);
    plot.timed = timed;
    if (timed) {
      plot.hooks.setScale = [(u, key) => { if (key === "x") zoomAll(u); }];
      plot.over.addEventListener("dblclick", () => plot.setScale("x", { min: data.start / 1000, max: data.end / 1000 }));
    }
    charts.push(plot);
    new ResizeObserver(() => { if (plot.width !== width()) plot.setSize({ width: width(), height: options.height }); }).observe(element);
    return plot;
  };

  const timed = (height, showX) => ({
    height,
    cursor: { sync: { key: "time" }, drag: { x: true, y: false }, points: { size: 5 } },
    scales: { x: { time: false, min: RANGE[0], max: RANGE[1] } },
    xAxis: showX ? axis({ size: 26, values: (u, ticks) => ticks.map(t => t + " s") }) : axis({ size: 0, ticks: { show: false }, values: () => [] }),
  });

  const line = (label, color, extra) => Object.assign({ label, stroke: ink(color), width: 1.6, points: { show: false }, spanGaps: true, value: (u, v) => fixed(v, 0, " kbit/s") }, extra);
  const steps = uPlot.paths.stepped({ align: -1 });

  const rate = (u, list) => list.map(v => v >= 1000 ? v / 1000 + " Mbit/s" : v + " kbit/s");

  const rates = (element, lane) => {
    const { xAxis, ...options } = timed(190, false);
    const used = Math.max(100, ...lane.sent, ...lane.received, ...lane.target.map(v => v || 0), ...lane.estimate.map(v => v || 0));
    // A capacity far above what is used would flatten everything else.
    const peak = Math.max(used, ...lane.capacity.filter(v => v != null && v < 3 * used));
    options.scales.y = { range: [0, peak * 1.15] };
    options.axes = [xAxis, axis({ size: GUTTER, values: rate })];
    options.series = [
      { label: "at", value: (u, v) => fixed(v, 2, " s") },
      line("capacity", "--grey", { dash: [5, 4], paths: steps }),
      line("estimate", "--violet", { paths: steps }),
      line("encoder target", "--orange", { paths: steps }),
      line("sent", "--blue"),
      line("received", "--green", { fill: ink("--green") + "22" }),
    ];
    mount(element, options, [seconds(lane.t), lane.capacity, lane.estimate, lane.target, lane.sent, lane.received], true);
  };

  const shares = (element, link) => {
    const { xAxis, ...options } = timed(210, false);
    const used = Math.max(100, ...link.carried, ...link.flows.flatMap(flow => flow.rate));
    const peak = Math.max(used, ...link.capacity.filter(v => v != null && v < 3 * used));
    options.scales.y = { range: [0, peak * 1.1] };
    options.axes = [xAxis, axis({ size: GUTTER, values: rate })];
    options.series = [
      { label: "at", value: (u, v) => fixed(v, 2, " s") },
      line("capacity", "--grey", { dash: [5, 4], paths: steps }),
      line("carried", "--faint", { width: 0.8, fill: ink("--faint") + "22" }),
    ].concat(link.flows.map((flow, i) => line(flow.name, CURVES[i % CURVES.length], { dash: i < CURVES.length ? [] : [2, 2] })));
    mount(element, options, [seconds(link.t), link.capacity, link.carried].concat(link.flows.map(flow => flow.rate)), true);
  };

  const queue = (element, link) => {
    const { xAxis, ...options } = timed(120, false);
    const ms = list => list.map(tenths => tenths == null ? null : tenths / 10);
    const wait = (label, color) => line(label, color, { value: (u, v) => fixed(v, 1, " ms") });
    options.scales.y = { range: (u, min, max) => [0, Math.max(20, (max || 0) * 1.1)] };
    options.axes = [xAxis, axis({ size: GUTTER, values: (u, list) => list.map(v => v + " ms") })];
    options.series = [{ label: "at", value: (u, v) => fixed(v, 2, " s") }, wait("longest wait", "--orange"), wait("mean wait", "--blue")];
    mount(element, options, [seconds(link.t), ms(link.queue_max), ms(link.queue_mean)], true);
  };

  // Pictures and sound have times of their own: uPlot joins them on one axis.
  const latency = (element, lane) => {
    const { xAxis, ...options } = timed(150, false);
    const ms = list => list.map(us => us / 1000);
    const joined = uPlot.join([[seconds(lane.picture.t), ms(lane.picture.us)], [seconds(lane.sound.t), ms(lane.sound.us)]]);
    const dots = (label, color) => ({ label, stroke: ink(color), width: 1, paths: () => null, points: { show: true, size: 3, width: 0, fill: ink(color) }, value: (u, v) => fixed(v, 1, " ms") });
    options.scales.y = { range: (u, min, max) => [0, Math.max(50, (max || 0) * 1.1)] };
    options.axes = [xAxis, axis({ size: GUTTER, values: (u, ticks) => ticks.map(v => v + " ms") })];
    options.series = [{ label: "at", value: (u, v) => fixed(v, 2, " s") }, dots("glass to glass", "--blue"), dots("mouth to ear", "--pink")];
    mount(element, options, joined[0].length ? joined : [[RANGE[0], RANGE[1]], [null, null], [null, null]], true);
  };

  // A strip has no values: its rectangles are drawn on an empty chart, so that it zooms with the others.
  const strip = (element, height, rows, showX) => {
    const { xAxis, ...options } = timed(height, showX);
    options.legend = { show: false };
    options.padding = [4, 12, 0, 0];
    options.cursor.points = { show: false };
    options.scales.y = { range: [0, rows.length] };
    options.axes = [xAxis, axis({ size: GUTTER, grid: { show: false }, ticks: { show: false }, splits: () => rows.map((_, i) => rows.length - i - 0.5), values: () => rows.map(row => row.label) })];
    options.series = [{}, { show: true, stroke: "transparent", points: { show: false } }];
    options.hooks = { draw: [u => rows.forEach((row, i) => row.draw(u, u.bbox.top + u.bbox.height * i / rows.length, u.bbox.height / rows.length))] };
    mount(element, options, [[RANGE[0], RANGE[1]], [null, null]], true);
  };

  const clipped = (u, paint) => {
    u.ctx.save();
    u.ctx.beginPath();
    u.ctx.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
    u.ctx.clip();
    paint(u.ctx, t => u.valToPos(t / 1000, "x", true));
    u.ctx.restore();
  };

  const segments = (label, list, colors, named) => ({ label, draw: (u, top, height) => clipped(u, (ctx, x) => {
    for (const [from, until, what] of list) {
      const left = x(from), width = Math.max(1, x(until) - left);
      ctx.globalAlpha = what === "smooth" || named ? 0.55 : 1;
      ctx.fillStyle = ink(colors[what] || "--grey");
      ctx.fillRect(left, top + 2, width, height - 4);
      ctx.globalAlpha = 1;
      if (named && width > 60 * devicePixelRatio) {
        ctx.fillStyle = ink("--ink");
        ctx.font = 11 * devicePixelRatio + "px system-ui, sans-serif";
        ctx.textBaseline = "middle";
        ctx.textAlign = "left";
        ctx.fillText(what, Math.max(left, u.bbox.left) + 6 * devicePixelRatio, top + height / 2);
      }
    }
  }) });

  const ticks = (label, list, color) => ({ label, draw: (u, top, height) => clipped(u, (ctx, x) => {
    ctx.fillStyle = ink(color);
    for (const t of list) ctx.fillRect(x(t), top + 3, Math.max(1, devicePixelRatio), height - 6);
  }) });

  const percentiles = element => {
    if (!data.percentiles.length) { element.textContent = "No latency was measured."; return; }
    const at = Array.from({ length: 201 }, (_, i) => i / 2);
    const options = {
      height: 230,
      padding: [8, 26, 0, 0],
      scales: { x: { time: false, range: [0, 100] }, y: { range: (u, min, max) => [0, (max || 1) * 1.05] } },
      axes: [axis({ size: 26, values: (u, list) => list.map(v => "p" + v) }), axis({ size: GUTTER, values: (u, list) => list.map(v => v + " ms") })],
      series: [{ label: "percentile", value: (u, v) => fixed(v, 1, "") }].concat(data.percentiles.map((curve, i) => line(curve.name, CURVES[i % CURVES.length], { value: (u, v) => fixed(v, 1, " ms") }))),
    };
    mount(element, options, [at].concat(data.percentiles.map(curve => curve.us.map(us => us / 1000))), false);
  };

  const draw = () => {
    while (charts.length) charts.pop().destroy();
    document.querySelectorAll(".chart").forEach(element => element.replaceChildren());
    const states = document.getElementById("states");
    if (states) strip(states, 26 * data.states.length + 30, data.states.map(state => segments(state.device.slice(0, 17), state.segments, STATES, true)), true);
    document.querySelectorAll("[data-link]").forEach(element => {
      const link = data.links[Number(element.dataset.link)];
      if (element.dataset.chart === "rates") shares(element, link);
      if (element.dataset.chart === "queue") queue(element, link);
      if (element.dataset.chart === "fates") strip(element, 66, [ticks("dropped", link.dropped, "--red"), ticks("marked", link.marked, "--violet")], true);
    });
    document.querySelectorAll("[data-lane]").forEach(element => {
      const lane = data.lanes[Number(element.dataset.lane)];
      if (element.dataset.chart === "rates") rates(element, lane);
      if (element.dataset.chart === "latency") latency(element, lane);
      if (element.dataset.chart === "screen") strip(element, 66, [segments("screen", lane.screen, SCREEN, false), ticks("lost", lane.lost, "--red")], true);
    });
    percentiles(document.getElementById("percentiles"));
  };

  draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  document.addEventListener("click", event => {
    const text = event.target.dataset && event.target.dataset.copy;
    if (text && navigator.clipboard) navigator.clipboard.writeText(text).then(() => { event.target.textContent = "copied"; });
  });
})();
