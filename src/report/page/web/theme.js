// Light or dark: as the system says, unless the switch says otherwise.
(function () {
  'use strict';
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const listeners = [];
  let choice = 'system';
  try {
    choice = localStorage.getItem('strider-theme') || 'system';
  } catch (refused) {
    // A browser may refuse to store what a local file asks for: then the switch holds until the page is closed.
  }

  function apply() {
    const isDark = choice === 'dark' || (choice === 'system' && dark.matches);
    document.documentElement.classList.toggle('dark', isDark);
    for (const listener of listeners) listener();
  }

  for (const input of document.querySelectorAll('#theme input')) {
    input.checked = input.value === choice;
    input.addEventListener('change', () => {
      choice = input.value;
      try {
        localStorage.setItem('strider-theme', choice);
      } catch (refused) {
        // As above.
      }
      apply();
    });
  }
  dark.addEventListener('change', apply);

  strider.onTheme = (listener) => listeners.push(listener);
  // The value of a colour of page.css, such as '--text'.
  strider.cssColour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  apply();
})();
