//! The sync machines as WebAssembly, for the page and the service worker.
