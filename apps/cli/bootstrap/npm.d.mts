/** The npm that started us, else the one beside this Node, else the one on PATH: program and first arguments. */
export function findNpm(): [program: string, ...args: string[]];
