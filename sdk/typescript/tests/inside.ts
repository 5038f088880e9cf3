export { kept } from "../src/content.js";
export { rules, settingsOf } from "../src/options.js";
export * from "../src/streams.js";
