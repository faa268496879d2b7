import './marks.css';
import './bar.css';
import './panel.css';
import './help.css';
