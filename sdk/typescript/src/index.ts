export { observe, type Observed, type ObserveOptions, Provider } from "./observe.js";
export type { PulseOptions } from "./options.js";
export { flush, initPulse, shutdown, stats, waitUntil } from "./pulse.js";
export { type Kind, span, Step, type StepOptions, tool, trace, withSession } from "./steps.js";
export type { Stats } from "./transport.js";
