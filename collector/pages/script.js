'use strict';
{
  const live = document.getElementById('live');
  const filter = document.getElementById('filter');
  const stale = document.getElementById('stale');
  let updated = new Date();

  const show = () => {
    const words = filter.value.toLowerCase().split(/[^\p{L}\p{Nd}]+/u).filter(Boolean);
    const plugs = [...live.querySelectorAll('[data-search]')];
    for (const plug of plugs) plug.hidden = !words.every((word) => plug.dataset.search.includes(` ${word}`));
    document.getElementById('none').hidden = !plugs.length || plugs.some((plug) => !plug.hidden);
  };

  let busy = false;
  const update = async () => {
    if (busy) return;
    busy = true;
    try { // the address without user and password, with which there is no fetching
      const response = await fetch(location.origin + location.pathname, { cache: 'no-store', signal: AbortSignal.timeout(8000) });
      if (!response.ok) throw new Error(response.statusText);
      const page = new DOMParser().parseFromString(await response.text(), 'text/html');
      const focused = live.contains(document.activeElement) ? document.activeElement.getAttribute('href') : null;
      const same = () => [...live.querySelectorAll('a')].filter((link) => link.getAttribute('href') === focused);
      const index = same().indexOf(document.activeElement); // all sockets of a strip have one link
      live.replaceChildren(...page.getElementById('live').childNodes);
      same()[index]?.focus({ preventScroll: true });
      show();
      updated = new Date();
      stale.hidden = true;
    } catch {
      stale.textContent = `The exporter does not answer. This is from ${updated.toLocaleTimeString()}.`;
      stale.hidden = false;
    } finally {
      busy = false;
    }
  };

  if (live) {
    filter.addEventListener('input', () => {
      show();
      history.replaceState(null, '', filter.value ? `?filter=${encodeURIComponent(filter.value)}` : location.pathname);
    });
    filter.form.addEventListener('submit', (event) => event.preventDefault());
    setInterval(() => { if (!document.hidden) update(); }, 10000);
    document.addEventListener('visibilitychange', () => { if (!document.hidden) update(); });
  }

  const report = document.getElementById('report');
  const copy = document.getElementById('copy');
  if (copy) {
    copy.hidden = false;
    copy.addEventListener('click', () => { // navigator.clipboard wants HTTPS
      report.select();
      copy.textContent = document.execCommand('copy') ? 'Copied' : 'Press Ctrl-C';
    });
  }
}
