// The page's script: the theme, rates and requests as they happen. Every screen is whole without it.
'use strict';

const THEMES = ['system', 'light', 'dark'];

/** @returns {string} the chosen theme */
function theme() {
  try {
    return localStorage.getItem('bailey-theme') || 'system';
  } catch {
    return 'system';
  }
}

/** @param {string} name */
function wear(name) {
  if (name === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
}

// Before anything is painted.
wear(theme());

/** Shows the button that goes through the themes. */
function startTheme() {
  const button = /** @type {HTMLButtonElement} */ (document.getElementById('theme'));
  const say = () => {
    button.textContent = 'Theme: ' + theme();
  };
  say();
  button.hidden = false;
  button.addEventListener('click', () => {
    const next = THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length];
    try {
      localStorage.setItem('bailey-theme', next);
    } catch {
      // It is worn until the page is left.
    }
    wear(next);
    say();
  });
}

/** @typedef {{per_second: number, error_percent: number, p99_ms: number | null, requests: number}} Rate */

/** The bound of the first bucket: what took less is not told apart. */
const LEAST_MS = 5;

/**
 * @param {number | null} ms
 * @returns {string} a percentile, as exact as it is known
 */
function percentile(ms) {
  if (ms === null) return '–';
  return ms <= LEAST_MS ? '< ' + LEAST_MS + ' ms' : ms + ' ms';
}

/**
 * @param {Rate} rate
 * @returns {string} what is written on a line of the drawing
 */
function words(rate) {
  return rate.requests === 0 ? '' : rate.per_second + '/s · ' + percentile(rate.p99_ms);
}

/**
 * The elements of a flow. Its name is a stranger's, so that it is compared and not made part of a selector.
 * @param {string} attribute
 * @param {string} flow
 * @returns {Element[]}
 */
function of(attribute, flow) {
  return [...document.querySelectorAll('[' + attribute + ']')].filter((e) => e.getAttribute(attribute) === flow);
}

/** @param {Record<string, Rate>} rates */
function showRates(rates) {
  for (const [flow, rate] of Object.entries(rates)) {
    for (const text of of('data-rate', flow)) text.textContent = words(rate);
    for (const text of of('data-errors', flow)) {
      text.textContent = rate.error_percent > 0 ? rate.error_percent + ' % errors' : '';
    }
    for (const line of of('data-flow', flow)) {
      line.classList.toggle('flowing', rate.requests > 0);
      line.classList.toggle('failing', rate.error_percent > 0);
    }
    for (const row of of('data-row', flow)) {
      /** @type {Record<string, string>} */
      const cells = {
        requests: String(rate.requests),
        per_second: String(rate.per_second),
        error_percent: rate.requests ? rate.error_percent + ' %' : '–',
        p99_ms: percentile(rate.p99_ms),
      };
      for (const cell of row.querySelectorAll('[data-cell]')) {
        cell.textContent = cells[/** @type {HTMLElement} */ (cell).dataset.cell || ''];
      }
    }
  }
  for (const element of document.querySelectorAll('[data-window]')) {
    const which = /** @type {HTMLElement} */ (element);
    which.hidden = which.dataset.window !== 'live';
  }
}

/** Rows that the list keeps. */
const ROWS = 200;

/**
 * Puts a request on top of the list, or its newer row in the place of the older one. The row is escaped by the server.
 * @param {{trace: string, row: string}} news
 */
function showRequest(news) {
  const body = document.querySelector('[data-live=requests] tbody');
  if (!body) return;
  const template = document.createElement('template');
  template.innerHTML = news.row;
  const row = template.content.firstElementChild;
  if (!row) return;
  const old = of('data-trace', news.trace)[0];
  if (old) {
    // Whoever stands on its link stays there.
    const focused = old.contains(document.activeElement);
    old.replaceWith(row);
    if (focused) row.querySelector('a')?.focus();
  } else {
    row.classList.add('new');
    body.prepend(row);
  }
  while (body.children.length > ROWS) body.lastElementChild?.remove();
  document.getElementById('none')?.remove();
}

/** Follows the events of this screen while it is seen. */
function startLive() {
  const place = document.querySelector('[data-live]');
  if (!place) return;
  const screen = /** @type {HTMLElement} */ (place).dataset.live || '';
  const query = new URLSearchParams(location.search);
  query.set('screen', screen);
  const status = /** @type {HTMLElement} */ (document.getElementById('live'));
  const pause = /** @type {HTMLButtonElement | null} */ (document.getElementById('pause'));
  /** @type {EventSource | null} */
  let source = null;
  let paused = false;
  /** @param {string} word */
  const say = (word) => {
    status.textContent = word;
    status.dataset.state = word;
    status.hidden = false;
  };
  const follow = () => {
    if (source || paused || document.hidden) return;
    source = new EventSource('/events?' + query);
    source.onopen = () => say('live');
    source.onerror = () => say('reconnecting');
    source.addEventListener('rates', (event) => showRates(JSON.parse(event.data)));
    source.addEventListener('request', (event) => showRequest(JSON.parse(event.data)));
  };
  const stop = () => {
    source?.close();
    source = null;
  };
  // A page that nobody sees costs nothing; when it is seen again, what it missed is loaded.
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) stop();
    else if (!source && screen === 'requests' && !paused) location.reload();
    else follow();
  });
  if (pause) {
    pause.hidden = false;
    pause.addEventListener('click', () => {
      paused = !paused;
      pause.setAttribute('aria-pressed', String(paused));
      pause.textContent = paused ? 'Go on' : 'Pause';
      if (paused) {
        stop();
        say('paused');
      } else follow();
    });
  }
  follow();
}

document.addEventListener('DOMContentLoaded', () => {
  startTheme();
  startLive();
});
