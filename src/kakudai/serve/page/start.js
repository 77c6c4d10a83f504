// Run before the page is drawn: with scripts, the plain form becomes the page. Not a module, so that nothing flickers.
document.documentElement.classList.add("js");
