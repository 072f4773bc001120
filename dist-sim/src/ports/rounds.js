export {};
//# sourceMappingURL=rounds.js.map