use proxy_wasm::traits::*;
use proxy_wasm::types::*;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_http_context(|_, _| Box::new(Greeter));
}}

struct Greeter;

impl Context for Greeter {}

impl HttpContext for Greeter {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let user = self.get_http_request_header("x-user").unwrap_or_else(|| "stranger".to_string());
        self.set_http_request_header("x-greeting", Some(&format!("hello {}", user)));
        log::info!("greeted {}", user);
        Action::Continue
    }
}
