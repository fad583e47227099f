// Everything the pages do in the browser. Each module finds its elements by data attributes and by its own tags.
import "./live-stream.js";
import "./times.js";
import "./copy.js";
import "./dialogs.js";
import "./menus.js";
import "./theme.js";
import "./event-log.js";
import "./patches.js";
import "./form-focus.js";
import "./type-ahead.js";
import "./reasons.js";
import "./problems.js";
import "./values-editor.js";
import "./print.js";
import "./code-editor.js";
