// The build puts the bytes of the zipapp where this is imported; nothing but a bundle can import it.
declare module '@gpu-actions/benchmark/programs.pyz' {
  const program: Uint8Array
  export default program
}

// And the agent's source text here.
declare module '@gpu-actions/cluster-api/agent.py' {
  const agent: string
  export default agent
}
