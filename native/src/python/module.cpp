// The module: one bind function for each room that Python sees.
#include <nanobind/nanobind.h>

void bind_anonymize(nanobind::module_& module);
void bind_batch(nanobind::module_& module);
void bind_engine(nanobind::module_& module);
void bind_fingerprint(nanobind::module_& module);
void bind_frames(nanobind::module_& module);
void bind_heads(nanobind::module_& module);
void bind_judge(nanobind::module_& module);
void bind_live(nanobind::module_& module);
void bind_pieces(nanobind::module_& module);
void bind_policy(nanobind::module_& module);
void bind_registry(nanobind::module_& module);
void bind_user(nanobind::module_& module);

NB_MODULE(_core, module) {
    module.doc() =
        "The native core of flowclass. Nothing here is public: see the flowclass package.";
    bind_registry(module);
    bind_policy(module);
    bind_anonymize(module);
    bind_batch(module);
    bind_fingerprint(module);
    bind_user(module);
    bind_engine(module);
    bind_frames(module);
    bind_heads(module);
    bind_judge(module);
    bind_live(module);
    bind_pieces(module);
}
