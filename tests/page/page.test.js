// What a person does with the page, in a browser. Waits end when what is waited for is there; nothing here is timed.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import https from 'node:https';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';

const { PAGE, BROWSER, CACHE, SHOTS, BAILEY, OBJECTS, CA, SHOP } = process.env;
const { chromium } = createRequire(CACHE + '/')('playwright-core');
const run = promisify(execFile);

const SCREENS = ['/', '/requests', '/explain', '/routes', '/address', '/certificates', '/configuration'];
const QUIET = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];

let browser;
before(async () => {
  browser = await chromium.launch({ executablePath: BROWSER, args: QUIET });
  // Something to show.
  for (let n = 0; n < 6; n++) await send(n % 3 ? '/' : '/api/orders?page=1');
  await send('/checkout');
  await send('/old/thing');
});
after(() => browser.close());

/** A request to the shop, from an address of its own. */
async function send(path, headers = {}) {
  const ca = await readFile(CA);
  const url = new URL(SHOP);
  const options = { host: '127.0.0.1', port: url.port, servername: url.hostname, ca, path,
    headers: { host: url.host, ...headers }, agent: false };
  return new Promise((resolve, reject) => {
    https.get(options, (answer) => answer.resume().on('end', () => resolve(answer.statusCode))).on('error', reject);
  });
}

/** The latest trace of a route; spans come a moment after the answer that they tell of. */
async function kept(route) {
  for (let tries = 0; tries < 100; tries += 1) {
    const [latest] = await (await fetch(new URL('/api/traces?route=' + route, PAGE))).json();
    if (latest) return latest;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('no trace of ' + route + ' is kept');
}

/** Opens an address of the page, and fails the test on anything the browser complains of. */
async function visit(t, path, options = {}) {
  const { allow = [], ...context } = options;
  const tab = await (await browser.newContext({ viewport: { width: 1280, height: 900 }, ...context })).newPage();
  const complaints = [];
  tab.on('console', (message) => {
    if (['error', 'warning'].includes(message.type()) && !allow.some((words) => message.text().includes(words))) complaints.push(message.text());
  });
  tab.on('pageerror', (error) => complaints.push(String(error)));
  tab.on('dialog', (dialog) => {
    complaints.push('a dialog: ' + dialog.message());
    dialog.dismiss();
  });
  tab.on('request', (request) => {
    if (new URL(request.url()).origin !== PAGE.replace(/\/$/, '') && !request.url().startsWith('data:')) complaints.push('asks elsewhere: ' + request.url());
  });
  t.after(async () => {
    await tab.context().close();
    assert.deepEqual(complaints, [], path);
  });
  await tab.goto(new URL(path, PAGE).href);
  return tab;
}

const named = (path) => path.replace(/^\//, '').replace(/[^a-z]+/g, '-') || 'topology';

for (const scheme of ['light', 'dark']) {
  for (const width of [1280, 360]) {
    test(`every screen fits and is labelled, ${scheme}, ${width} wide`, async (t) => {
      const latest = await kept('HTTPRoute/team-a/shop');
      const asked = '?url=' + encodeURIComponent(SHOP + '/api/orders') + '&header=x-forwarded-for%3A+6.6.6.6';
      const paths = [...SCREENS, '/explain' + asked, '/address' + asked, '/requests/' + latest.trace,
        '/explain?url=' + encodeURIComponent(SHOP.replace('shop', 'shpo') + '/'), '/?tenant=team-a', '/explain?route=HTTPRoute/team-a/shop'];
      for (const path of paths) {
        const tab = await visit(t, path, { colorScheme: scheme, viewport: { width, height: 900 } });
        assert.equal(await tab.locator('h1').count(), 1, `${path}: one heading`);
        for (const role of ['banner', 'navigation', 'main', 'contentinfo']) {
          assert.equal(await tab.getByRole(role).count(), 1, `${path}: ${role}`);
        }
        const nameless = await tab.evaluate(() => {
          const name = (e) => e.getAttribute('aria-label') || (e.labels && e.labels[0]?.textContent) || e.textContent;
          const all = [...document.querySelectorAll('a, button, input, select, textarea, [role=region], section, form, nav')];
          return all.filter((e) => !e.closest('[hidden]') && !name(e)?.trim()).map((e) => e.outerHTML);
        });
        assert.deepEqual(nameless, [], `${path}: all controls have names`);
        const wide = await tab.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(wide <= 0, `${path} is ${wide} px wider than the window`);
        const faint = await tab.evaluate(contrast);
        assert.deepEqual(faint, [], `${path}: text can be read`);
        const name = `${scheme}-${width}-${named(path.split('?')[0].replace(/[0-9a-f]{32}/, 'one'))}${path.includes('?') ? '-' + named(path.split('?')[1].slice(0, 6) + (path.includes('shpo') ? 'lost' : '')) : ''}`;
        await tab.screenshot({ path: `${SHOTS}/${name}.png`, fullPage: true });
        await tab.context().close();
      }
    });
  }
}

/** Runs in the browser: texts whose contrast with what is behind them is less than 4.5 (WCAG 2.2, 1.4.3). */
function contrast() {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => {
    const part = (v) => ((v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = rgba(getComputedStyle(e).backgroundColor);
      if (colour[3] > 250) return colour;
    }
    return [255, 255, 255, 255];
  };
  const faint = [];
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && n.textContent.trim());
    if (!own || element.closest('svg') || !element.checkVisibility() || element.closest('.hidden, .skip')) continue;
    const style = getComputedStyle(element);
    const [a, b] = [light(rgba(style.color)), light(behind(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) faint.push(`${ratio.toFixed(2)} ${element.outerHTML.slice(0, 120)}`);
  }
  return faint.slice(0, 5);
}

test('the keyboard leads to a question and to its answer', async (t) => {
  const tab = await visit(t, '/explain');
  await tab.keyboard.press('Tab');
  assert.equal(await tab.evaluate(() => document.activeElement.textContent), 'Skip to content');
  await tab.keyboard.press('Enter');
  await tab.keyboard.press('Tab');
  assert.equal(await tab.evaluate(() => document.activeElement.id), 'url', 'the next stop after the skip link');
  const ring = await tab.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.notEqual(ring, 'none', 'the focus is seen');
  await tab.keyboard.press('Control+A');
  await tab.keyboard.type(SHOP + '/api/orders');
  await tab.keyboard.press('Enter');
  const answer = tab.getByRole('region', { name: 'Answer' });
  await answer.waitFor();
  assert.match(await answer.innerText(), /HTTPRoute team-a\/shop/);
  // On from the form, every stop is one that can be seen.
  for (let n = 0; n < 60; n++) {
    await tab.keyboard.press('Tab');
    if (await tab.evaluate(() => !!document.activeElement.closest('#answer'))) return;
  }
  assert.fail('the answer cannot be reached by Tab');
});

test('a box of the drawing filters the other screens, by click and by Enter', async (t) => {
  const tab = await visit(t, '/');
  await tab.getByRole('link', { name: /^Inner tier team-b/ }).click();
  await tab.waitForURL(/tenant=team-b/);
  assert.equal(await tab.getByRole('link', { name: /team-a\/shop/ }).count(), 0, 'the other tenant is gone');
  await tab.getByRole('navigation').getByRole('link', { name: 'Routes' }).click();
  await tab.waitForURL(/routes\?tenant=team-b/);
  assert.match(await tab.getByRole('region', { name: 'Routes' }).innerText(), /team-b\/blog/);
  assert.doesNotMatch(await tab.getByRole('region', { name: 'Routes' }).innerText(), /team-a\/shop/);
  await tab.getByRole('link', { name: /team-b.*remove/ }).click();
  await tab.getByRole('region', { name: 'Routes' }).getByText('HTTPRoute/team-a/shop').waitFor();
  await tab.goto(PAGE);
  const route = tab.getByRole('link', { name: /^Route team-a\/shop/ });
  await route.focus();
  await tab.keyboard.press('Enter');
  await tab.waitForURL(/route=/);
});

test('every screen can be read and used without script', async (t) => {
  for (const path of SCREENS) {
    const tab = await visit(t, path, { javaScriptEnabled: false });
    assert.ok((await tab.locator('main').innerText()).length > 80, path);
    assert.equal(await tab.locator('#theme:visible, #pause:visible').count(), 0, 'nothing is shown that does nothing');
  }
  const tab = await visit(t, '/explain', { javaScriptEnabled: false });
  await tab.getByRole('textbox', { name: 'URL', exact: true }).fill(SHOP + '/');
  await tab.getByRole('button', { name: 'Explain' }).click();
  await tab.getByRole('region', { name: 'Answer' }).waitFor();
  await tab.goto(PAGE);
  await tab.getByRole('link', { name: /^Inner tier team-a/ }).click();
  await tab.waitForURL(/tenant=team-a/);
});

test('a request appears as it happens, and shows its way through both tiers', async (t) => {
  const tab = await visit(t, '/requests');
  await tab.getByText('live', { exact: true }).waitFor();
  const path = '/live-' + Date.now();
  await send(path);
  await tab.getByRole('link', { name: path }).click();
  await tab.waitForURL(/requests\/[0-9a-f]{32}/);
  const bars = await tab.getByRole('list', { name: 'Spans over time' }).locator('li').allInnerTexts();
  const tiers = bars.map((text) => text.split('\n').join(' ').match(/(outer|inner) (server|client)/)?.[0]);
  assert.deepEqual(tiers, ['outer server', 'outer client', 'inner server', 'inner client']);
});

test('a request is in the list within a second of its answer', async (t) => {
  const tab = await visit(t, '/requests');
  await tab.getByText('live', { exact: true }).waitFor();
  await tab.evaluate(() => {
    window.came = {};
    const note = (row) => {
      window.came[row.querySelector('a').textContent.match(/\/within-[0-9-]+/)?.[0]] = Date.now();
    };
    const watch = new MutationObserver((changes) => changes.forEach((change) => change.addedNodes.forEach(note)));
    watch.observe(document.querySelector('[data-live=requests] tbody'), { childList: true });
  });
  for (let n = 0; n < 10; n++) {
    const path = '/within-' + Date.now() + '-' + n;
    await send(path);
    const answered = Date.now();
    await tab.getByRole('link', { name: path }).waitFor();
    const took = (await tab.evaluate((path) => window.came[path], path)) - answered;
    assert.ok(took < 1000, `${path} came ${took} ms after its answer`);
  }
});

test('a click on a route tells what reaches it', async (t) => {
  const tab = await visit(t, '/routes');
  await tab.getByRole('link', { name: 'HTTPRoute/team-a/shop' }).click();
  await tab.waitForURL(/explain\?route=/);
  const answer = tab.getByRole('region', { name: 'Answer' });
  assert.match(await answer.innerText(), /is served on shop\.localhost[\s\S]*some of it[\s\S]*its path is longer/);
  await answer.getByRole('link', { name: /\/checkout$/ }).click();
  await tab.getByText('forwarded to Service team-a/storefront-v1').first().waitFor();
});

test('rates are on the lines as they happen', async (t) => {
  const tab = await visit(t, '/');
  await tab.getByText('live', { exact: true }).waitFor();
  for (let n = 0; n < 20; n++) await send('/');
  await tab.locator('[data-rate="tenant:main/team-a"]', { hasText: '/s' }).waitFor();
  await tab.locator('[data-rate="route:HTTPRoute/team-a/shop"]', { hasText: '/s' }).waitFor();
  const [first, second] = ['storefront-v1', 'storefront-v2'].map((name) => tab.locator(`[data-rate="backend:HTTPRoute/team-a/shop>team-a/${name}:80"]`));
  await first.filter({ hasText: '/s · ' }).or(second.filter({ hasText: '/s · ' })).first().waitFor();
  assert.ok((await tab.getByRole('row', { name: /storefront-v1:80/ }).count()) >= 1, 'the same in the table');
  await tab.getByText('Over the last ten seconds').waitFor();
  await tab.screenshot({ path: `${SHOTS}/live-topology.png`, fullPage: true });
});

test('the list can be held', async (t) => {
  const tab = await visit(t, '/requests');
  await tab.getByText('live', { exact: true }).waitFor();
  await tab.getByRole('button', { name: 'Pause' }).click();
  await tab.getByText('paused', { exact: true }).waitFor();
  await send('/while-paused');
  const seen = await fetch(new URL('/api/traces?limit=1', PAGE));
  assert.equal(seen.status, 200);
  assert.equal(await tab.getByRole('link', { name: '/while-paused' }).count(), 0);
  await tab.getByRole('button', { name: 'Go on' }).click();
  await tab.getByText('live', { exact: true }).waitFor();
  await send('/after-pause');
  await tab.getByRole('link', { name: '/after-pause' }).waitFor();
});

test('what strangers send stays text', async (t) => {
  const tab = await visit(t, '/requests');
  await tab.getByText('live', { exact: true }).waitFor();
  await send('/%3Cimg%20src=x%20onerror=alert(1)%3E', { 'user-agent': '<script>alert(2)</script>', cookie: 'sid=hush', authorization: 'Bearer hush' });
  await send("/'\"><svg/onload=alert(3)>");
  await tab.getByRole('link', { name: 'onerror' }).first().click();
  await tab.waitForURL(/requests\/[0-9a-f]{32}/);
  for (const summary of await tab.locator('details.span summary').all()) await summary.click();
  const text = await tab.content();
  assert.ok(!text.includes('hush') && !text.includes('<script>alert'), 'no secret, no markup of strangers');
  await tab.getByText('<script>alert(2)</script>').first().waitFor();
});

test('bailey trace prints what the page shows', async (t) => {
  const args = ['trace', SHOP + '/api/orders', '--cacert', CA, '--admin', PAGE, '-H', 'x-forwarded-for: 6.6.6.6'];
  const { stdout } = await run(BAILEY, [...args, '-o', 'json']);
  const { status, trace } = JSON.parse(stdout);
  assert.equal(status, 200);
  assert.deepEqual(trace.rows.map((row) => `${row.tier} ${row.kind}`), ['outer server', 'outer client', 'inner server', 'inner client']);
  const tab = await visit(t, '/requests/' + trace.trace);
  assert.equal(await tab.getByRole('list', { name: 'Spans over time' }).locator('li').count(), 4);
  const table = await run(BAILEY, args);
  assert.match(table.stdout, /TIER\s+SPAN[\s\S]*outer\s+server[\s\S]*inner\s+client/);
  await writeFile(`${SHOTS}/trace.txt`, table.stdout);
  const down = await run(BAILEY, ['trace', SHOP + '/', '--cacert', CA, '--admin', 'http://127.0.0.1:1']).catch((error) => error);
  assert.equal(down.code, 3);
  assert.match(down.stderr, /--admin/);
});

test('the theme is chosen and kept', async (t) => {
  const tab = await visit(t, '/', { colorScheme: 'light' });
  const paper = () => tab.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const light = await paper();
  await tab.getByRole('button', { name: 'Theme: system' }).click();
  assert.equal(await paper(), light, 'light is what the system asks for');
  await tab.getByRole('button', { name: 'Theme: light' }).click();
  assert.notEqual(await paper(), light);
  await tab.reload();
  assert.notEqual(await paper(), light);
  await tab.getByRole('button', { name: 'Theme: dark' }).waitFor();
});

test('it prints without what is only for the screen', async (t) => {
  const tab = await visit(t, '/routes');
  await tab.emulateMedia({ media: 'print' });
  assert.equal(await tab.getByRole('navigation').isVisible(), false);
  assert.equal(await tab.getByRole('region', { name: 'Routes' }).isVisible(), true);
  await tab.screenshot({ path: `${SHOTS}/print-routes.png`, fullPage: true });
});

test('an edit that is refused is shown on every screen, and one that is mended is not', async (t) => {
  const file = OBJECTS + '/team-a.yaml';
  const good = await readFile(file, 'utf8');
  await appendFile(file, '\nthis is: [not yaml\n');
  const tab = await visit(t, '/routes');
  await reloaded(tab, (text) => text.includes('The last edit was refused'));
  await tab.getByRole('link', { name: 'See why' }).click();
  assert.match(await tab.getByRole('region', { name: 'Refused edit' }).innerText(), /team-a\.yaml:\d+/);
  await tab.screenshot({ path: `${SHOTS}/refused.png`, fullPage: false });
  await writeFile(file, good);
  await reloaded(tab, (text) => !text.includes('The last edit was refused'));
});

/** Loads the page again until it says what is waited for. */
async function reloaded(tab, until) {
  for (let n = 0; n < 200; n++) {
    await tab.reload();
    if (until(await tab.locator('main').innerText())) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail('the page does not follow the edit');
}
