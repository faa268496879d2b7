// QuickJS's own functions and values.

enum { TAG_INT = 0, TAG_BOOL = 1, TAG_NULL = 2, TAG_UNDEFINED = 3, TAG_EXCEPTION = 6 };
#define VALUE(tag, number) ((JSValue)(tag) << 32 | (u32)(number))
static u32 tag_of(JSValue value) { return value >> 32; }

typedef struct JSContext JSContext;
FROM(qjs, _initialize) void qjs_initialize(void);
FROM(qjs, qjs_init) u32 qjs_init(void);
FROM(qjs, qjs_get_context_ptr) JSContext *qjs_get_context_ptr(void);
FROM(qjs, qjs_get_runtime_ptr) void *qjs_get_runtime_ptr(void);
FROM(qjs, qjs_set_memory_limit) void qjs_set_memory_limit(u32 bytes);
FROM(qjs, qjs_set_max_stack_size) void qjs_set_max_stack_size(u32 bytes);
FROM(qjs, qjs_set_module_loader) void qjs_set_module_loader(u32 on);
FROM(qjs, qjs_set_promise_rejection_handler) void qjs_set_promise_rejection_handler(u32 on);
FROM(qjs, qjs_execute_pending_job) int qjs_execute_pending_job(void);
FROM(qjs, qjs_new_host_function) JSValue *qjs_new_host_function(const char *name, u32 length, u32 new_target);
FROM(qjs, qjs_get_undefined) JSValue *qjs_get_undefined(void);
FROM(qjs, malloc) void *malloc(u32 size);
FROM(qjs, free) void free(void *bytes);
FROM(qjs, JS_Eval) JSValue JS_Eval(JSContext *, const u8 *text, u32 length, const char *name, u32 flags);
FROM(qjs, JS_Call) JSValue JS_Call(JSContext *, JSValue f, JSValue this, u32 count, const JSValue *arguments);
FROM(qjs, JS_DupValue) JSValue JS_DupValue(JSContext *, JSValue);
FROM(qjs, JS_FreeValue) void JS_FreeValue(JSContext *, JSValue);
FROM(qjs, JS_GetException) JSValue JS_GetException(JSContext *);
FROM(qjs, JS_GetGlobalObject) JSValue JS_GetGlobalObject(JSContext *);
FROM(qjs, JS_SetPropertyStr) int JS_SetPropertyStr(JSContext *, JSValue object, const char *name, JSValue value);
FROM(qjs, JS_ToCStringLen2) u8 *JS_ToCStringLen2(JSContext *, u32 *length, JSValue, u32 cesu8);
FROM(qjs, JS_FreeCString) void JS_FreeCString(JSContext *, u8 *);
FROM(qjs, JS_ToInt32) int JS_ToInt32(JSContext *, u32 *, JSValue);
FROM(qjs, JS_NewStringLen) JSValue JS_NewStringLen(JSContext *, const u8 *, u32 length);
FROM(qjs, JS_NewUint8ArrayCopy) JSValue JS_NewUint8ArrayCopy(JSContext *, const u8 *, u32 length);
FROM(qjs, JS_PromiseState) int JS_PromiseState(JSContext *, JSValue);
FROM(qjs, JS_PromiseResult) JSValue JS_PromiseResult(JSContext *, JSValue);
FROM(qjs, JS_GetTypedArrayType) int JS_GetTypedArrayType(JSValue);
FROM(qjs, JS_GetUint8Array) u8 *JS_GetUint8Array(JSContext *, u32 *length, JSValue);
FROM(qjs, JS_ThrowTypeError) JSValue JS_ThrowTypeError(JSContext *, const char *, const void *);

static JSContext *js;
