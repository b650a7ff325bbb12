package notify

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// BotConfig is a bot that customers start by a link.
type BotConfig struct {
	// API is the address of the provider, Token the bot's and Name its user name.
	API, Token, Name string
	Client           *http.Client
}

// Bot is a channel whose customers hand over their chat by starting it.
type Bot struct {
	*Channel
	// Link is the deep link that starts the bot with a one-time code.
	Link func(code string) string
	// Header carries the secret of the bot's webhook.
	Header string
	// Register tells the provider where the webhook is.
	Register func(ctx context.Context, url, secret string) error
	// Started reads an update: the code with which a chat was started; empty for anything else.
	Started func(update []byte) (chat, code string)
}

// telegramAnswer is what every method of the bot API answers.
type telegramAnswer struct {
	OK          bool            `json:"ok"`
	Code        int             `json:"error_code"`
	Description string          `json:"description"`
	Result      json.RawMessage `json:"result"`
	Parameters  struct {
		RetryAfter int `json:"retry_after"`
	} `json:"parameters"`
}

// Telegram sends by a bot. Its servers are abroad, so that it counts as paid.
func Telegram(c BotConfig) *Bot {
	call := func(ctx context.Context, method string, in any) Outcome {
		var a telegramAnswer
		out := askJSON(ctx, c.Client, c.API+"/bot"+c.Token+"/"+method, http.Header{}, in, &a)
		if a.Parameters.RetryAfter > 0 {
			out.after = min(time.Duration(a.Parameters.RetryAfter)*time.Second, maxRetryAfter)
		}
		if out.Err == nil && (!a.OK || len(a.Result) == 0) {
			out.Err, out.final = errors.New("refused"), a.Code/100 == 4 && a.Code != http.StatusTooManyRequests
		}
		if out.Err != nil && a.Description != "" {
			out.Err = errors.New(a.Description)
		}
		return out
	}
	return &Bot{
		Channel: &Channel{Name: "telegram", Paid: true, Address: contact("telegram"), Send: func(ctx context.Context, m Message) Outcome {
			return call(ctx, "sendMessage", map[string]any{"chat_id": m.To, "text": m.Text, "link_preview_options": map[string]bool{"is_disabled": true}})
		}},
		Link:   func(code string) string { return "https://t.me/" + c.Name + "?start=" + code },
		Header: "X-Telegram-Bot-Api-Secret-Token",
		Register: func(ctx context.Context, url, secret string) error {
			return call(ctx, "setWebhook", map[string]any{"url": url, "secret_token": secret, "allowed_updates": []string{"message"}}).Err
		},
		Started: func(update []byte) (chat, code string) {
			var u struct {
				Message struct {
					Text string `json:"text"`
					Chat struct {
						ID   int64  `json:"id"`
						Type string `json:"type"`
					} `json:"chat"`
				} `json:"message"`
			}
			code, ok := "", false
			if json.Unmarshal(update, &u) == nil && u.Message.Chat.Type == "private" {
				code, ok = strings.CutPrefix(u.Message.Text, "/start ")
			}
			if !ok {
				return "", ""
			}
			return strconv.FormatInt(u.Message.Chat.ID, 10), strings.TrimSpace(code)
		},
	}
}
