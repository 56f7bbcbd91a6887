// What run.py asks a page that it has opened. Each is a function of `probes`.
var probes = {
  texts: (selector) => [...document.querySelectorAll(selector)].map((element) => element.textContent),

  table: (selector) => [...document.querySelectorAll(`${selector} tbody tr`)]
    .map((row) => [...row.cells].map((cell) => cell.textContent)),

  click: (label) => [...document.querySelectorAll('button')].find((one) => one.textContent === label).click(),

  // How many pixels the page is wider than the window, and what sticks out of it.
  overflow: () => {
    const width = document.documentElement.clientWidth;
    const out = [...document.querySelectorAll('body *')].filter((element) =>
      element.getBoundingClientRect().right > width + 0.5 && !element.closest('.scroll, pre, .skip'));
    return [document.documentElement.scrollWidth - width, ...out.map((element) => element.outerHTML.slice(0, 200))];
  },

  describe: (element) => element === document.body || !element ? 'nothing'
    : `${element.tagName.toLowerCase()} ${element.getAttribute('aria-label') ?? element.textContent.slice(0, 60)}`,

  // In the order of the document, which is the order in which one reads.
  tabbable: () => [...document.querySelectorAll('a[href], button, input, summary, [tabindex="0"]')]
    .filter((element) => element.checkVisibility()).map(probes.describe),

  focused: () => probes.describe(document.activeElement),

  // Whether one sees where the focus is.
  focusIsSeen: () => {
    const element = document.activeElement, box = element.querySelector?.('.box');
    const style = getComputedStyle(element);
    return (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2) ||
      (box && element.matches(':focus-visible') && parseFloat(getComputedStyle(box).strokeWidth) >= 4);
  },

  // Texts whose contrast to what is behind them is less than WCAG's 4.5.
  faint: () => {
    const parse = (color) => color.match(/[\d.]+/g).map(Number);
    const luminance = ([red, green, blue]) => [red, green, blue]
      .map((part) => (part /= 255) <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
      .reduce((sum, part, i) => sum + part * [0.2126, 0.7152, 0.0722][i], 0);
    const contrast = (a, b) => {
      const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
      return (high + 0.05) / (low + 0.05);
    };
    const behind = (element) => {
      for (; element; element = element.parentElement) {
        const color = parse(getComputedStyle(element).backgroundColor);
        if (color.length < 4 || color[3] > 0) return color;
      }
      return [255, 255, 255];
    };
    const found = [];
    for (const element of document.querySelectorAll('body *')) {
      const texts = [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE);
      const text = texts.map((node) => node.data).join('').trim();
      if (!text || !element.checkVisibility() || element.closest('script, style, title, noscript')) continue;
      const isSvg = element instanceof SVGElement, style = getComputedStyle(element);
      const grounds = isSvg
        ? [behind(element.closest('.graph')), ...['.box', '.box.asked'].flatMap((selector) => {
          const box = document.querySelector(`.graph ${selector}`);
          return box ? [parse(getComputedStyle(box).fill)] : [];
        })] : [behind(element)];
      for (const ground of grounds) {
        const ratio = contrast(parse(isSvg ? style.fill : style.color), ground);
        if (ratio < 4.5) found.push(`${ratio.toFixed(2)}: ${text.slice(0, 60)}`);
      }
    }
    return found;
  },
};
