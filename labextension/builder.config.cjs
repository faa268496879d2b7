/** What the builder leaves to us: style sheets travel without what only their readers need. */
module.exports = {
  module: {
    rules: [{ test: /\.css$/, enforce: 'pre', loader: 'builtin:lightningcss-loader', options: { minify: true } }]
  }
};
