module vtchaos/pause

go 1.26
