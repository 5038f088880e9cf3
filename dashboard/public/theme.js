// Sets the theme before the first paint, so that a dark page never flashes white.
;(function () {
  var theme = null
  try {
    theme = localStorage.getItem('pulse.theme')
  } catch {
    // A browser that keeps nothing has the system's theme.
  }
  if (theme !== 'light' && theme !== 'dark') {
    theme = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'
  }
  document.documentElement.dataset.theme = theme
})()
