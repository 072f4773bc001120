export {};
//# sourceMappingURL=session-files.js.map