export * from './named.ts'
