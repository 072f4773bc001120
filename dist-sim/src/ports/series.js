export {};
//# sourceMappingURL=series.js.map