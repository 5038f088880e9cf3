/** What URLs of sessions and analytics can say. Their schemas take any text, since these are loaded with every page and this need not be. */
export const oneOf = <T extends string>(names: readonly T[], text: string | undefined): T | undefined => names.find((name) => name === text)

export const sessionTabs = ['chat', 'agent', 'table'] as const
export const agentParts = ['edits', 'commands', 'waits', 'agents', 'errors'] as const
export const groupings = ['model', 'provider', 'kind', 'tool', 'user', 'session', 'service', 'release', 'env', 'name', 'status', 'source', 'tag', 'key'] as const
export const measures = ['count', 'errors', 'cost', 'tokens', 'in', 'out', 'p50', 'p90', 'p95', 'p99', 'ttft50', 'ttft90', 'ttft95', 'ttft99'] as const
export const charts = ['line', 'bar', 'heatmap', 'table'] as const
