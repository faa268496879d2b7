//! Body redaction: of 16 digits in a row the last four stay.
use proxy_wasm::traits::*;
use proxy_wasm::types::*;

proxy_wasm::main! {{
    proxy_wasm::set_http_context(|_, _| Box::new(Redaction { readable: false }));
}}

struct Redaction {
    readable: bool, // whether the body is JSON or text
}

impl Context for Redaction {}

impl HttpContext for Redaction {
    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        let kind = self.get_http_response_header("content-type").unwrap_or_default();
        self.readable = kind.starts_with("application/json") || kind.starts_with("text/");
        Action::Continue
    }

    fn on_http_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        if !self.readable {
            return Action::Continue;
        }
        if !end_of_stream {
            return Action::Pause; // until all of the body is here
        }
        let mut body = self.get_http_response_body(0, size).unwrap_or_default();
        let mut run = 0;
        for at in 0..=body.len() {
            if at < body.len() && body[at].is_ascii_digit() {
                run += 1;
                continue;
            }
            if run == 16 {
                body[at - 16..at - 4].fill(b'*');
            }
            run = 0;
        }
        self.set_http_response_body(0, size, &body); // as long as before, so content-length stays right
        Action::Continue
    }
}
