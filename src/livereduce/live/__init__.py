"""The live cycle: messages -> chunks -> chunk script -> accumulation -> post-processing script -> results."""
