//! Call-out authorisation: the cluster auth decides about each request.
use proxy_wasm::traits::*;
use proxy_wasm::types::*;
use std::time::Duration;

proxy_wasm::main! {{
    proxy_wasm::set_http_context(|_, _| Box::new(Authorize));
}}

struct Authorize;

impl HttpContext for Authorize {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        self.set_http_request_header("x-user", None); // only we may send this
        let header = |name| self.get_http_request_header(name).unwrap_or_default();
        let (token, method, path) = (header("authorization"), header(":method"), header(":path"));
        let asked = vec![
            (":method", "GET"),
            (":path", "/check"),
            (":authority", "auth"),
            ("authorization", &token),
            ("x-original-method", &method),
            ("x-original-path", &path),
        ];
        if self.dispatch_http_call("auth", asked, None, vec![], Duration::from_millis(500)).is_err() {
            self.refuse(503, "authorisation is out of order\n");
        }
        Action::Pause
    }
}

impl Context for Authorize {
    fn on_http_call_response(&mut self, _: u32, _: usize, _: usize, _: usize) {
        match self.get_http_call_response_header(":status").as_deref() {
            Some("200") => {
                let user = self.get_http_call_response_header("x-user").unwrap_or_default();
                self.set_http_request_header("x-user", Some(&user));
                self.resume_http_request();
            }
            Some("401") => self.refuse(401, "forbidden\n"),
            Some("403") => self.refuse(403, "forbidden\n"),
            _ => self.refuse(503, "authorisation is out of order\n"),
        }
    }
}

impl Authorize {
    fn refuse(&self, status: u32, why: &str) {
        self.send_http_response(status, vec![], Some(why.as_bytes()));
    }
}
