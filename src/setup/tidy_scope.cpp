/// A clang-tidy plugin that makes clang-tidy affordable here: its checks then walk our declarations only, not
/// the hundreds of thousands in the headers of LibTorch, which takes a minute a source to find nothing
/// (clang-tidy drops those warnings). Built and loaded by src/setup/tidy.sh; needs the headers of
/// clang-tidy's own version (Debian: libclang-14-dev).
#include <clang-tidy/ClangTidyCheck.h>
#include <clang-tidy/ClangTidyModule.h>
#include <clang-tidy/ClangTidyModuleRegistry.h>

namespace {

using clang::ast_matchers::MatchFinder;

/// Reports nothing. The translation unit is matched before its declarations are visited, and visitors keep to
/// the traversal scope that is set by then.
class OwnDeclarations : public clang::tidy::ClangTidyCheck {
 public:
  using ClangTidyCheck::ClangTidyCheck;
  void registerMatchers(MatchFinder* finder) override {
    finder->addMatcher(clang::ast_matchers::translationUnitDecl().bind("unit"), this);
  }
  void check(const MatchFinder::MatchResult& result) override {
    const auto* unit = result.Nodes.getNodeAs<clang::TranslationUnitDecl>("unit");
    std::vector<clang::Decl*> own;
    for (clang::Decl* declaration : unit->noload_decls()) // without those of a precompiled header
      if (!result.SourceManager->isInSystemHeader(declaration->getLocation()))
        own.push_back(declaration);
    result.Context->setTraversalScope(own);
  }
};

class Module : public clang::tidy::ClangTidyModule {
 public:
  void addCheckFactories(clang::tidy::ClangTidyCheckFactories& factories) override {
    factories.registerCheck<OwnDeclarations>("scoreact-own-declarations");
  }
};

const clang::tidy::ClangTidyModuleRegistry::Add<Module> registered("scoreact", "what makes clang-tidy fast");

} // namespace
